// SPDX-License-Identifier: Apache-2.0
package io.jvfio.dma;

import static java.util.Objects.requireNonNull;

import io.jvfio.AddressVerdict;
import io.jvfio.BufferOptions;
import io.jvfio.DirtyTracking;
import io.jvfio.DmaAccess;
import io.jvfio.DmaBuffer;
import io.jvfio.DmaEstimate;
import io.jvfio.DmaLayout;
import io.jvfio.DmaMapping;
import io.jvfio.DmaRegistration;
import io.jvfio.DmaSpace;
import io.jvfio.DmaWindow;
import io.jvfio.DynamicWindows;
import io.jvfio.Ioas;
import io.jvfio.IommuType;
import io.jvfio.LiveMapping;
import io.jvfio.MapOptions;
import io.jvfio.ReservedRange;
import io.jvfio.iommu.EntryLimit;
import io.jvfio.iommu.IoasDomain;
import io.jvfio.iommu.IommuDomain;
import io.jvfio.iommu.Locking;
import io.jvfio.jfr.DmaMapEvent;
import io.jvfio.jfr.DmaUnmapEvent;
import io.jvfio.jfr.Jfr;
import io.jvfio.kernel.Cleanup;
import io.jvfio.kernel.HostFacts;
import io.jvfio.kernel.Leaks;
import io.jvfio.kernel.Refusal;
import io.jvfio.spi.Explanation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The DMA space over one or several domains: which addresses are taken by which memory, and the
 * order in which memory, mapping and address are given back.
 *
 * <p>A buffer goes through: memory, lock, mapping, use; then no more access from Java, no more
 * access from the device, and only then is the memory freed. If the kernel refuses to unmap, the
 * memory stays until {@link #freeOrphans()}, since the device may still write to it, and its
 * address stays taken.
 *
 * <p>With several domains a mapping is made in each, or in none.
 *
 * <p>One lock guards the state of a space and of its mappings; nothing else is called while holding
 * it but the kernel.
 */
public final class MappedSpace implements DmaSpace {
  /** The size of huge pages that every machine has which has any. */
  private static final long HUGE_PAGE = 2 << 20;

  private final HostFacts facts;
  private final String subject;
  private final IommuDomain[] domains;
  private final EntryLimit entryLimit;
  private final AllDomains all;
  private final LockBudget locking;

  private final Addresses addresses;

  /** The windows; null where they do not come and go. */
  private final @Nullable SpaprWindows dynamicWindows;

  private final List<Runnable> orphans = new ArrayList<>();
  private final Set<Registered> registered = new LinkedHashSet<>();
  private long entries;
  private long mappedBytes;
  private boolean tracksDirtyPages;
  private boolean closed;

  /** No device reaches anything any more, and the kernel has given everything back. */
  private boolean detached;

  /**
   * A space of which nothing is mapped yet.
   *
   * @param subject what messages call it
   * @param domains of one type, enabled; each has every mapping
   */
  public MappedSpace(
      HostFacts facts,
      String subject,
      List<? extends IommuDomain> domains,
      List<ReservedRange> reserved) {
    if (domains.size() > Long.SIZE) {
      throw new IllegalArgumentException(
          "a DMA space has at most %d domains, not %d".formatted(Long.SIZE, domains.size()));
    }
    this.facts = facts;
    this.subject = subject;
    this.domains = domains.toArray(IommuDomain[]::new);
    this.addresses = new Addresses(reserved);
    this.entryLimit =
        domains.stream()
            .map(IommuDomain::entryLimit)
            .min(Comparator.comparingLong(EntryLimit::count))
            .orElseThrow();
    this.all = new AllDomains(domains);
    this.locking = new LockBudget(facts, this.domains);
    addresses.learnWindows(domains);
    this.dynamicWindows = SpaprWindows.of(this, domains, addresses);
  }

  @Override
  public IommuType type() {
    return domains[0].type();
  }

  @Override
  public synchronized List<DmaWindow> windows() {
    requireOpen();
    return addresses.windows();
  }

  @Override
  public synchronized DmaLayout layout() {
    requireOpen();
    return new DmaLayout(
        type(),
        addresses.windows(),
        addresses.reserved(),
        addresses.mappings().stream().map(Mapping::live).toList(),
        entriesLeft(),
        facts.lockedMemory(),
        domains[0].locking().isCounted() ? facts.lockableMemory() : OptionalLong.empty());
  }

  @Override
  public synchronized AddressVerdict explain(long iova, long byteSize) {
    requireOpen();
    if (!domains[0].translates()) {
      return new AddressVerdict(iova, byteSize, false, physicalOnly().text(), OptionalLong.empty());
    }
    var refusal = addresses.refusal(iova, byteSize, -1, -1, -1);
    return refusal.isEmpty()
        ? new AddressVerdict(
            iova,
            byteSize,
            true,
            "Free, in the valid range %s.".formatted(addresses.windowOf(iova)),
            OptionalLong.of(iova))
        : new AddressVerdict(
            iova, byteSize, false, refusal.get().text(), addresses.nextFree(iova, byteSize));
  }

  private static Explanation physicalOnly() {
    return new Explanation(
        "Without an IOMMU the device's addresses are physical ones: memory has its own and no other.",
        "Map it without choosing an address.");
  }

  @Override
  public synchronized DmaEstimate estimate(long byteSize, MapOptions options) {
    requireOpen();
    if (byteSize < 1) {
      throw new IllegalArgumentException("a mapping has at least 1 byte, not " + byteSize);
    }
    long pageSize = facts.kernel().pageSize();
    long size = Addresses.roundUp(byteSize, pageSize);
    var changes = new ArrayList<String>();
    if (size < 0) {
      changes.add(addresses.noRoom(byteSize, options).text());
      return estimate(false, OptionalLong.empty(), byteSize, changes);
    }
    long locked = locking.bytes(size);
    OptionalLong iova = OptionalLong.empty();
    if (!domains[0].translates()) {
      if (options.iova().isPresent()) {
        changes.add(physicalOnly().text());
      }
    } else if (options.iova().isPresent()) {
      var refusal =
          addresses.refusal(options.iova().getAsLong(), size, -1, pageSize, options.highest());
      if (refusal.isPresent()) {
        changes.add(refusal.get().text());
      } else {
        iova = options.iova();
      }
    } else {
      iova = addresses.choose(size, options, pageSize, null);
      if (iova.isEmpty()) {
        var growth = growth(size, pageSize, options);
        if (growth == null) {
          changes.add(addresses.noRoom(size, options).text());
        } else {
          locked += growth.lockedBytes;
        }
      }
    }
    if (entries >= entryLimit.count()) {
      changes.add(noEntries().text());
    }
    locking
        .shortfall(locked, mappedBytes, "this mapping")
        .ifPresent(shortfall -> changes.add(shortfall.text()));
    return estimate(changes.isEmpty(), iova, locked, changes);
  }

  private DmaEstimate estimate(boolean fits, OptionalLong iova, long locked, List<String> changes) {
    return new DmaEstimate(
        fits, iova, locked, locking.lockable(mappedBytes), 1, entriesLeft(), changes);
  }

  private Explanation noEntries() {
    return new Explanation(
        "All %,d mapping entries of the container are in use.".formatted(entryLimit.count()),
        entryLimit.advice());
  }

  private OptionalLong entriesLeft() {
    return entryLimit.count() == EntryLimit.NONE
        ? OptionalLong.empty()
        : OptionalLong.of(Math.max(0, entryLimit.count() - entries));
  }

  @Override
  public DmaMapping map(MemorySegment segment, MapOptions options) {
    requireMemory(segment);
    try {
      var mapping = new Mapping(segment, options.access());
      place(mapping, options, facts.kernel().pageSize());
      return new MappingHandle(mapping);
    } catch (Refusal e) {
      throw e.of(subject);
    }
  }

  @Override
  public DmaBuffer allocate(long byteSize, BufferOptions options) {
    if (byteSize < 1) {
      throw new IllegalArgumentException("a DMA buffer has at least 1 byte, not " + byteSize);
    }
    try {
      return new BufferHandle(allocateBuffer(byteSize, options));
    } catch (Refusal e) {
      throw e.of(subject);
    }
  }

  /**
   * The options for memory that the domains can make use of. Without an IOMMU it must lie together,
   * which several pages do in a huge one only.
   */
  private BufferOptions suited(long byteSize, BufferOptions options) {
    if (domains[0].wantsFiles()) {
      return options.asFile();
    }
    boolean wishes = options.pageSize() != 0 || byteSize <= facts.kernel().pageSize();
    return domains[0].translates() || wishes
        ? options
        : new BufferOptions(options.map(), HUGE_PAGE, options.shared());
  }

  private Buffer allocateBuffer(long byteSize, BufferOptions options) throws Refusal {
    synchronized (this) {
      requireOpen();
    }
    // Zeroing huge pages takes its time, in which others can map.
    var memory = DmaMemory.allocate(facts, byteSize, suited(byteSize, options));
    try (var undo = new Cleanup()) {
      undo.add(() -> free(memory));
      var buffer = new Buffer(memory, options.map().access());
      undo.release();
      place(buffer, options.map(), memory.pageSize());
      return buffer;
    }
  }

  private static void requireMemory(MemorySegment segment) {
    if (!segment.isNative() || segment.byteSize() == 0) {
      throw new IllegalArgumentException(
          "a device reaches native memory of at least 1 byte, not " + segment);
    }
    if (!segment.scope().isAlive()) {
      throw new IllegalStateException("the memory is freed already: " + segment);
    }
  }

  private void free(DmaMemory memory) {
    try {
      memory.free(facts.kernel());
    } catch (Refusal e) {
      throw e.of(subject);
    }
  }

  /** Maps and unmaps one page: the proof that the type works here. */
  public void tryOnePage() throws Refusal {
    allocateBuffer(1, BufferOptions.anonymous()).giveBack();
  }

  /** Gives a new mapping an address, locks its memory and maps it; or gives it back. */
  private synchronized void place(Mapping mapping, MapOptions options, long backing)
      throws Refusal {
    SpaprWindows.@Nullable Growth growth = null;
    try {
      requireOpen();
      checkEntries();
      locking.check(mapping.address, mapping.byteSize, 0, mappedBytes, "this mapping");
      if (domains[0].translates()) {
        growth = address(mapping, options, backing);
        acquire(mapping);
      } else {
        acquirePhysical(mapping, options);
      }
      mapInAll(mapping);
    } catch (Refusal | RuntimeException e) {
      try {
        mapping.giveBack();
        if (growth != null) {
          growth.undo();
        }
      } catch (Refusal | RuntimeException another) {
        e.addSuppressed(another);
      }
      throw e;
    }
  }

  /**
   * Takes an address for a new mapping.
   *
   * @return the window that was made for it, if one was
   */
  private SpaprWindows.@Nullable Growth address(Mapping mapping, MapOptions options, long backing)
      throws Refusal {
    long byteSize = mapping.byteSize;
    if (options.iova().isPresent()) {
      long iova = options.iova().getAsLong();
      var refusal = addresses.refusal(iova, byteSize, mapping.address, backing, options.highest());
      if (refusal.isPresent()) {
        throw Refusal.notAsked("map", refusal.get());
      }
      if (!addresses.take(iova, mapping)) {
        throw new IllegalStateException("0x%x is free and taken".formatted(iova));
      }
      mapping.placed(iova);
      return null;
    }
    long usable = Addresses.usablePage(mapping.address, byteSize, backing);
    var found = addresses.choose(byteSize, options, usable, mapping);
    SpaprWindows.@Nullable Growth growth = null;
    if (found.isEmpty()) {
      growth = growth(byteSize, usable, options);
      if (growth != null) {
        locking.check(
            mapping.address,
            byteSize,
            growth.lockedBytes,
            mappedBytes,
            "this mapping and a window");
        growth.make();
        found = addresses.choose(byteSize, options, usable, mapping);
      }
    }
    if (found.isEmpty()) {
      if (growth != null) {
        growth.undo();
      }
      var smallest =
          addresses.windows().stream().min(Comparator.comparingLong(DmaWindow::pageSize));
      var refusal =
          smallest.flatMap(
              window -> Addresses.memoryRefusal(window, byteSize, mapping.address, backing));
      throw Refusal.notAsked("map", refusal.orElseGet(() -> addresses.noRoom(byteSize, options)));
    }
    mapping.placed(found.getAsLong());
    return growth;
  }

  private SpaprWindows.@Nullable Growth growth(long byteSize, long usable, MapOptions options) {
    return dynamicWindows == null ? null : dynamicWindows.growth(byteSize, usable, options);
  }

  /** Locks the memory of a new mapping, which then has an address. */
  private void acquirePhysical(Mapping mapping, MapOptions options) throws Refusal {
    long page = facts.kernel().pageSize();
    if (((mapping.address | mapping.byteSize) & (page - 1)) != 0) {
      throw Refusal.notAsked(
          "map",
          Addresses.memoryRefusal(
                  addresses.windows().getFirst(), mapping.byteSize, mapping.address, page)
              .orElseThrow());
    }
    acquire(mapping);
    long iova = domains[0].physicalAddress(mapping.address, mapping.byteSize);
    if ((options.iova().isPresent() && options.iova().getAsLong() != iova)
        || (iova & (options.alignment() - 1)) != 0) {
      throw Refusal.notAsked(
          "map",
          new Explanation(
              "Without an IOMMU the device's addresses are physical ones: this memory is at 0x%x and nowhere else."
                  .formatted(iova),
              "Map it without choosing an address or an alignment."));
    }
    if (Long.compareUnsigned(iova + mapping.byteSize - 1, options.highest()) > 0) {
      throw Refusal.notAsked(
          "map",
          new Explanation(
              "Without an IOMMU memory has its physical address, here 0x%x, which the device cannot reach."
                  .formatted(iova),
              "Use an IOMMU."));
    }
    if (!addresses.take(iova, mapping)) {
      throw Refusal.notAsked(
          "map",
          new Explanation(
              "The memory is mapped already: %s.".formatted(addresses.overlapping(iova)),
              "Use that mapping."));
    }
    mapping.placed(iova);
  }

  private void checkEntries() throws Refusal {
    if (entries >= entryLimit.count()) {
      throw Refusal.lacking("map", noEntries());
    }
  }

  private void acquire(Mapping mapping) throws Refusal {
    all.acquire(mapping.address, mapping.byteSize);
    mapping.locked = true;
  }

  /** Maps in every domain that does not have the mapping, or in none of them. */
  private void mapInAll(Mapping mapping) throws Refusal {
    var event = Jfr.isInUse() ? DmaMapEvent.started() : null;
    @Nullable Refusal failure = null;
    try {
      mapInEach(mapping);
    } catch (Refusal refusal) {
      failure = refusal;
      throw refusal;
    } finally {
      if (event != null) {
        event.ended(
            subject,
            mapping.iova,
            mapping.byteSize,
            mapping.access,
            mapping.place,
            inShort(failure));
      }
    }
  }

  private static @Nullable String inShort(@Nullable Refusal refusal) {
    return refusal == null ? null : refusal.inShort();
  }

  private void mapInEach(Mapping mapping) throws Refusal {
    long made = 0;
    try {
      for (int i = 0; i < domains.length; i++) {
        long bit = 1L << i;
        if ((mapping.reach & bit) == 0) {
          mapping.mapIn(domains[i]);
          made |= bit;
          setReach(mapping, mapping.reach | bit);
        }
      }
    } catch (Refusal refusal) {
      var another = unmapIn(made, mapping);
      if (another != null) {
        refusal.addSuppressed(another);
      }
      throw refusal;
    }
  }

  /** Unmaps in every domain that has the mapping, whatever some of them answer. */
  private void unmapInAll(Mapping mapping) throws Refusal {
    boolean isAsked = mapping.reach != 0 && !detached;
    var event = isAsked && Jfr.isInUse() ? DmaUnmapEvent.started() : null;
    var refusal = unmapIn(mapping.reach, mapping);
    if (event != null) {
      event.ended(subject, mapping.iova, mapping.byteSize, 1, inShort(refusal));
    }
    if (refusal != null) {
      throw refusal;
    }
  }

  private @Nullable Refusal unmapIn(long bits, Mapping mapping) {
    @Nullable Refusal failure = null;
    for (long rest = bits; rest != 0; rest &= rest - 1) {
      try {
        if (!detached) {
          domains[Long.numberOfTrailingZeros(rest)].unmap(mapping.iova, mapping.byteSize);
        }
        setReach(mapping, mapping.reach & ~Long.lowestOneBit(rest));
      } catch (Refusal refusal) {
        failure = Refusal.firstOf(failure, refusal);
      }
    }
    return failure;
  }

  private void setReach(Mapping mapping, long reach) {
    if ((mapping.reach == 0) != (reach == 0)) {
      int change = reach == 0 ? -1 : 1;
      entries += change;
      mappedBytes += change * mapping.byteSize;
    }
    mapping.reach = reach;
  }

  void requireOpen() {
    if (closed) {
      throw new IllegalStateException(
          "the DMA space of " + subject + " is closed: no IOMMU is set any more");
    }
  }

  @Override
  public Optional<DynamicWindows> dynamicWindows() {
    return Optional.ofNullable(dynamicWindows);
  }

  @Override
  public Optional<Ioas> ioas() {
    return domains.length == 1 && domains[0] instanceof IoasDomain ioas
        ? Optional.of(new IoasControl(this, ioas))
        : Optional.empty();
  }

  @Override
  public DmaRegistration register(MemorySegment segment) {
    requireMemory(segment);
    synchronized (this) {
      requireOpen();
      try {
        if (domains[0].locking() == Locking.AHEAD) {
          locking.check(
              segment.address(), segment.byteSize(), 0, mappedBytes, "registering this memory");
        }
        all.acquire(segment.address(), segment.byteSize());
      } catch (Refusal e) {
        throw e.of(subject);
      }
      var registration = new Registered(segment);
      registered.add(registration);
      return registration;
    }
  }

  @Override
  public DirtyTracking trackDirtyPages() {
    synchronized (this) {
      requireOpen();
      try {
        if (tracksDirtyPages) {
          throw Refusal.notAsked(
              "track dirty pages",
              new Explanation(
                  "Dirty pages of this space are tracked already, and a page that one reads is clean for the other.",
                  "Share that tracking, or close it first."));
        }
        all.startTracking();
      } catch (Refusal e) {
        throw e.of(subject);
      }
      tracksDirtyPages = true;
    }
    return new Tracking();
  }

  @Override
  public void close() {
    List<Mapping> open;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      open = addresses.mappings();
      unmapAtOnce(open);
    }
    try (var steps = new Cleanup()) {
      // The kernel ends registrations with the container, but knows nothing of those of mlock.
      steps.add(() -> List.copyOf(registered).forEach(Registered::closeIfUnused));
      open.forEach(mapping -> steps.add(mapping::close));
    }
  }

  /**
   * One call instead of one a mapping, where that is possible: no part of memory may be in use by
   * another thread. What it does not do is done, or told, mapping by mapping.
   */
  private void unmapAtOnce(List<Mapping> open) {
    if (open.size() < 2 || domains.length > 1) {
      return;
    }
    try {
      for (var mapping : open) {
        mapping.endAccess();
      }
      var event = Jfr.isInUse() ? DmaUnmapEvent.started() : null;
      if (domains[0].unmapAll()) {
        if (event != null) {
          event.ended(subject, 0, mappedBytes, open.size(), null);
        }
        for (var mapping : open) {
          setReach(mapping, 0);
        }
      }
    } catch (IllegalStateException | Refusal e) {
      // Each mapping is closed on its own next, and says then what is wrong with it.
      return;
    }
  }

  /** Frees what could not be unmapped; call it once no device can reach memory any more. */
  public synchronized void freeOrphans() {
    detached = true;
    try (var steps = new Cleanup()) {
      orphans.forEach(steps::add);
      orphans.clear();
    }
  }

  public String subject() {
    return subject;
  }

  /** A mapping as the space keeps it; the user has a handle. */
  class Mapping {
    final long byteSize;
    final DmaAccess access;
    final String place = Leaks.place();

    /** Keeps memory of the garbage collector's in place. */
    private volatile MemorySegment memory;

    long address;
    long iova;

    /** Whether the address is taken. */
    boolean placed;

    /** Whether the domains keep the memory in place for it. */
    boolean locked;

    /** The domains that have it, a bit for each: devices behind them may reach the memory. */
    volatile long reach;

    /** Guarded by the space's lock, as all of the state: a volatile read costs POWER a barrier. */
    private boolean closed;

    Mapping(MemorySegment memory, DmaAccess access) {
      this.memory = memory;
      this.address = memory.address();
      this.byteSize = memory.byteSize();
      this.access = access;
    }

    final MemorySegment memory() {
      return memory;
    }

    final boolean isOf(MappedSpace space) {
      return space == MappedSpace.this;
    }

    final void placed(long at) {
      iova = at;
      placed = true;
    }

    /**
     * Read without the lock: drivers ask at each command, and whoever closes in between is told.
     */
    final long openIova() {
      if (closed) {
        throw new IllegalStateException(this + " is closed");
      }
      return iova;
    }

    final boolean isClosed() {
      synchronized (MappedSpace.this) {
        return closed;
      }
    }

    void mapIn(IommuDomain domain) throws Refusal {
      domain.map(memory, address, iova, byteSize, access);
    }

    LiveMapping live() {
      return new LiveMapping(iova, byteSize, access, reach != 0, place);
    }

    final void map() {
      synchronized (MappedSpace.this) {
        requireOpenMapping();
        try {
          if (reach == 0) {
            checkEntries();
          }
          mapInAll(this);
        } catch (Refusal e) {
          throw e.of(subject + ", " + this);
        }
      }
    }

    final void unmap() {
      synchronized (MappedSpace.this) {
        requireOpenMapping();
        try {
          unmapInAll(this);
        } catch (Refusal e) {
          throw e.of(subject + ", " + this);
        }
      }
    }

    void rebase(MemorySegment other) {
      synchronized (MappedSpace.this) {
        requireOpenMapping();
        requireMemory(other);
        if (other.byteSize() != byteSize || reach == 0) {
          throw new IllegalArgumentException(
              "only what is mapped can be rebased, to native memory of the same length");
        }
        try {
          var window = requireNonNull(addresses.windowOf(iova));
          var refusal = Addresses.memoryRefusal(window, byteSize, other.address(), -1);
          if (refusal.isPresent()) {
            throw Refusal.notAsked("rebase", refusal.get());
          }
          all.exchange(address, other.address(), iova, byteSize);
        } catch (Refusal e) {
          throw e.of(subject + ", " + this);
        }
        memory = other;
        address = other.address();
      }
    }

    private void requireOpenMapping() {
      if (closed) {
        throw new IllegalStateException(this + " is closed");
      }
      requireOpen();
    }

    final void close() {
      try {
        giveBack();
      } catch (Refusal e) {
        throw e.of(subject + ", " + this);
      }
    }

    /** No more access from Java. */
    void endAccess() {
      // the memory is the caller's
    }

    /** No more access from anywhere: what is the space's own is freed. */
    void freeMemory() {
      // the memory is the caller's
    }

    /** Gives everything back, once. */
    final void giveBack() throws Refusal {
      synchronized (MappedSpace.this) {
        if (closed) {
          return;
        }
        endAccess();
        closed = true;
        try {
          unmapInAll(this);
          if (placed) {
            addresses.give(this);
            placed = false;
          }
          if (locked) {
            locked = false;
            all.release(address, byteSize);
          }
        } catch (Refusal refusal) {
          // What the kernel keeps must not become other memory's while a device may reach it.
          orphans.add(this::freeMemory);
          throw refusal;
        }
        freeMemory();
      }
    }

    @Override
    public String toString() {
      return "0x%x..0x%x (%,d bytes)".formatted(iova, iova + byteSize - 1, byteSize);
    }
  }

  /** A mapping of memory that is the space's own. */
  final class Buffer extends Mapping {
    final DmaMemory own;
    private final Arena lifetime;

    Buffer(DmaMemory own, DmaAccess access) {
      this(own, access, Arena.ofShared());
    }

    private Buffer(DmaMemory own, DmaAccess access, Arena lifetime) {
      super(facts.kernel().memory(own.address(), own.byteSize(), lifetime), access);
      this.own = own;
      this.lifetime = lifetime;
    }

    @Override
    void mapIn(IommuDomain domain) throws Refusal {
      if (own.fd().isEmpty()
          || !domain.mapFile(own.fd().getAsInt(), address, iova, byteSize, access)) {
        super.mapIn(domain);
      }
    }

    @Override
    void rebase(MemorySegment other) {
      throw new UnsupportedOperationException("a buffer keeps its own memory");
    }

    @Override
    void endAccess() {
      if (lifetime.scope().isAlive()) {
        lifetime.close(); // throws, and changes nothing, while a call of another thread uses it
      }
    }

    @Override
    void freeMemory() {
      free(own);
    }
  }

  private final class Registered implements DmaRegistration {
    private final MemorySegment memory;
    private boolean ended;

    Registered(MemorySegment memory) {
      this.memory = memory;
    }

    @Override
    public void close() {
      synchronized (MappedSpace.this) {
        if (ended) {
          return;
        }
        var inside = inside();
        if (inside != null) {
          throw new IllegalStateException(
              ("memory from 0x%x to 0x%x cannot be unregistered while a part of it is mapped at %s (made at %s): the"
                      + " kernel would say yes and keep the pages locked for good. Close that mapping first.")
                  .formatted(
                      memory.address(),
                      memory.address() + memory.byteSize(),
                      inside,
                      inside.place));
        }
        ended = true;
        registered.remove(this);
        try {
          all.release(memory.address(), memory.byteSize());
        } catch (Refusal e) {
          throw e.of(subject);
        }
      }
    }

    /** With a mapping that could not be unmapped it stays until the container is gone. */
    void closeIfUnused() {
      synchronized (MappedSpace.this) {
        if (inside() == null) {
          close();
        }
      }
    }

    private @Nullable Mapping inside() {
      long end = memory.address() + memory.byteSize();
      for (var mapping : addresses.mappings()) {
        if (mapping.address < end && memory.address() < mapping.address + mapping.byteSize) {
          return mapping;
        }
      }
      return null;
    }
  }

  private final class Tracking implements DirtyTracking {
    private boolean ended;

    @Override
    public long pageSize() {
      return domains[0].dirtyPageSize();
    }

    @Override
    public void read(DmaMapping mapping, MemorySegment bitmap) {
      if (!(mapping instanceof MappingHandle handle) || !handle.mapping.isOf(MappedSpace.this)) {
        throw new IllegalArgumentException(mapping + " is no mapping of this DMA space");
      }
      long pages = mapping.byteSize() / pageSize();
      long byteSize = (pages + Long.SIZE - 1) / Long.SIZE * Long.BYTES;
      if (bitmap.byteSize() < byteSize) {
        throw new IllegalArgumentException(
            "%,d pages need a bitmap of %,d bytes, not %,d"
                .formatted(pages, byteSize, bitmap.byteSize()));
      }
      bitmap.fill((byte) 0);
      synchronized (MappedSpace.this) {
        if (ended) {
          throw new IllegalStateException("dirty tracking has ended");
        }
        try (var arena = Arena.ofConfined()) {
          if (!mapping.isMapped()) {
            throw Refusal.notAsked(
                "read dirty pages",
                new Explanation("The mapping is not mapped now.", "Read before it is unmapped."));
          }
          all.readDirtyPages(
              mapping.iova(), mapping.byteSize(), bitmap, arena.allocate(byteSize, Long.BYTES));
        } catch (Refusal e) {
          throw e.of(subject);
        }
      }
    }

    @Override
    public void close() {
      synchronized (MappedSpace.this) {
        if (ended) {
          return;
        }
        ended = true;
        tracksDirtyPages = false;
        if (closed) {
          return; // tracking ended with the space
        }
        try {
          all.stopTracking();
        } catch (Refusal e) {
          throw e.of(subject);
        }
      }
    }
  }
}
