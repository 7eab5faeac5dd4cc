package io.jvfio;

import static java.util.Objects.requireNonNull;

import io.jvfio.iova.IovaMap;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
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
final class MappedSpace implements DmaSpace {
  private final HostFacts facts;
  private final Explanations explanations;
  private final String subject;
  private final IommuDomain[] domains;
  private final List<ReservedRange> reserved;
  private final long entryLimit;
  private final boolean limitsLocking;

  private final IovaMap<Mapping> addresses = new IovaMap<>();
  private final List<Runnable> orphans = new ArrayList<>();
  private List<DmaWindow> windows = List.of();
  private long entries;
  private long mappedBytes;
  private boolean closed;

  /**
   * A space of which nothing is mapped yet.
   *
   * @param subject what messages call it
   * @param domains of one type, enabled; each has every mapping
   */
  MappedSpace(
      HostFacts facts,
      String subject,
      List<? extends IommuDomain> domains,
      List<ReservedRange> reserved) {
    this.facts = facts;
    this.explanations = new Explanations(facts);
    this.subject = subject;
    this.domains = domains.toArray(IommuDomain[]::new);
    this.reserved =
        reserved.stream()
            .distinct()
            .sorted(Comparator.comparing(ReservedRange::start, Long::compareUnsigned))
            .toList();
    this.entryLimit =
        Arrays.stream(this.domains).mapToLong(IommuDomain::entryLimit).min().orElseThrow();
    this.limitsLocking = facts.lockableMemory().isPresent();
    learnWindows();
  }

  /** Takes over the windows that all domains have in common. */
  private void learnWindows() {
    var common = List.copyOf(domains[0].windows());
    for (int i = 1; i < domains.length; i++) {
      common = intersection(common, domains[i].windows());
    }
    common =
        common.stream()
            .sorted(Comparator.comparing(DmaWindow::start, Long::compareUnsigned))
            .toList();
    for (var window : windows) {
      if (!common.contains(window)) {
        addresses.removeRange(window.start(), window.last());
      }
    }
    for (var window : common) {
      if (!windows.contains(window)) {
        addresses.addRange(window.start(), window.last());
      }
    }
    windows = common;
  }

  private static List<DmaWindow> intersection(List<DmaWindow> some, List<DmaWindow> others) {
    var both = new ArrayList<DmaWindow>();
    for (var one : some) {
      for (var other : others) {
        one.intersection(other).ifPresent(both::add);
      }
    }
    return both;
  }

  @Override
  public IommuType type() {
    return domains[0].type();
  }

  @Override
  public synchronized List<DmaWindow> windows() {
    requireOpen();
    return windows;
  }

  @Override
  public synchronized DmaLayout layout() {
    requireOpen();
    var live = new ArrayList<LiveMapping>();
    addresses.forEach((_, _, mapping) -> live.add(mapping.live()));
    return new DmaLayout(
        type(),
        windows,
        reserved,
        live,
        entryLimit == IommuDomain.NO_LIMIT
            ? OptionalLong.empty()
            : OptionalLong.of(entryLimit - entries),
        facts.lockedMemory(),
        facts.lockableMemory());
  }

  @Override
  public synchronized AddressVerdict explain(long iova, long byteSize) {
    requireOpen();
    var refusal = addressRefusal(iova, byteSize, -1, -1);
    return refusal.isEmpty()
        ? new AddressVerdict(
            iova,
            byteSize,
            true,
            "Free, in the valid range %s.".formatted(windowOf(iova)),
            OptionalLong.of(iova))
        : new AddressVerdict(iova, byteSize, false, refusal.get().text(), nextFree(iova, byteSize));
  }

  private @Nullable DmaWindow windowOf(long iova) {
    return windows.stream().filter(window -> window.contains(iova, 1)).findFirst().orElse(null);
  }

  private OptionalLong nextFree(long iova, long byteSize) {
    if (byteSize < 1) {
      return OptionalLong.empty();
    }
    for (long lowest : new long[] {iova, 0}) {
      for (var window : windows) {
        long from = unsignedMax(lowest, window.start());
        long size = roundUp(byteSize, window.pageSize());
        if (Long.compareUnsigned(from, window.last()) <= 0 && size > 0) {
          long found = addresses.nextFree(size, window.pageSize(), from, window.last());
          if (found != IovaMap.NONE) {
            return OptionalLong.of(found);
          }
        }
      }
    }
    return OptionalLong.empty();
  }

  /**
   * Why memory cannot be mapped at an address; empty if it can.
   *
   * @param memory its address in this process, or -1 where that does not matter
   * @param backing the pages that it is made of, or -1
   */
  private Optional<Explanation> addressRefusal(
      long iova, long byteSize, long memory, long backing) {
    if (byteSize < 1 || Long.compareUnsigned(iova + byteSize - 1, iova) < 0) {
      return refused(
          "%,d bytes from 0x%x are no range of addresses.".formatted(byteSize, iova),
          "Choose a length of at least 1 that does not pass the end of the 64-bit space.");
    }
    var window = windowOf(iova);
    if (window == null) {
      return outside(iova, byteSize);
    }
    if (!window.contains(iova, byteSize)) {
      long room = window.last() - iova + 1;
      return refused(
          "%,d bytes from 0x%x pass the end of the valid range %s, which has room for %,d there%s."
              .formatted(byteSize, iova, window, room, hole(iova, byteSize)),
          "Map at most so many bytes there, or at another address.");
    }
    long page = window.pageSize();
    if ((iova & (page - 1)) != 0) {
      return refused(
          "0x%x is no multiple of 0x%x (%,d bytes), the IOMMU page of the range %s."
              .formatted(iova, page, page, window),
          "The next multiples are 0x%x and 0x%x.".formatted(iova & -page, (iova & -page) + page));
    }
    var memoryRefusal = memoryRefusal(window, byteSize, memory, backing);
    if (memoryRefusal.isPresent()) {
      return memoryRefusal;
    }
    if (addresses.overlaps(iova, byteSize)) {
      var other = overlapping(iova);
      return refused(
          "It overlaps the mapping %s, made at %s.".formatted(other, other.place),
          "Close that mapping first, or take another address.");
    }
    return Optional.empty();
  }

  /** The first mapping that ends at or after {@code iova}, which there is. */
  private Mapping overlapping(long iova) {
    var around = addresses.at(iova);
    return requireNonNull(around != null ? around : addresses.at(addresses.firstFrom(iova)));
  }

  private static Optional<Explanation> memoryRefusal(
      DmaWindow window, long byteSize, long memory, long backing) {
    long page = window.pageSize();
    if ((byteSize & (page - 1)) != 0) {
      return refused(
          "%,d bytes are no multiple of %,d, the IOMMU page of the range %s."
              .formatted(byteSize, page, window),
          "Round the length up: what follows the memory in its last page is mapped too.");
    }
    if (memory != -1 && (memory & (page - 1)) != 0) {
      return refused(
          "The memory starts at 0x%x, which is no multiple of %,d, the IOMMU page of the range %s."
              .formatted(memory, page, window),
          "Allocate it aligned, such as with Arena.allocate(byteSize, %d).".formatted(page));
    }
    if (backing != -1 && Long.compareUnsigned(backing, page) < 0) {
      return refused(
          "The range %s has IOMMU pages of %,d bytes, and the memory is made of pages of %,d."
              .formatted(window, page, backing),
          "Use BufferOptions.hugePages(%d), or another window.".formatted(page));
    }
    return Optional.empty();
  }

  private Optional<Explanation> outside(long iova, long byteSize) {
    for (var range : reserved) {
      if (range.overlaps(iova, 1)) {
        return refused(
            "0x%x is in the reserved range %s: %s.".formatted(iova, range, range.meaning()),
            "Take an address outside of it.");
      }
    }
    return refused(
        "0x%x is in no valid range; the ranges are %s%s."
            .formatted(iova, windows, hole(iova, byteSize)),
        "Take an address in one of them.");
  }

  private String hole(long iova, long byteSize) {
    return reserved.stream()
        .filter(range -> range.overlaps(iova, byteSize))
        .findFirst()
        .map(range -> "; %s lies in between".formatted(range))
        .orElse("");
  }

  private static Optional<Explanation> refused(String meaning, String nextStep) {
    return Optional.of(new Explanation(meaning, nextStep));
  }

  @Override
  public synchronized DmaEstimate estimate(long byteSize, MapOptions options) {
    requireOpen();
    if (byteSize < 1) {
      throw new IllegalArgumentException("a mapping has at least 1 byte, not " + byteSize);
    }
    long pageSize = facts.kernel().pageSize();
    long size = roundUp(byteSize, pageSize);
    var changes = new ArrayList<String>();
    long locked = 0;
    for (var domain : domains) {
      locked += domain.lockedBytes(size);
    }
    OptionalLong iova = OptionalLong.empty();
    if (options.iova().isPresent()) {
      var refusal = addressRefusal(options.iova().getAsLong(), size, -1, pageSize);
      if (refusal.isPresent()) {
        changes.add(refusal.get().text());
      } else {
        iova = options.iova();
      }
    } else {
      iova = choose(size, options, pageSize, null);
      if (iova.isEmpty()) {
        long table = tableOfNewWindow(size, pageSize);
        locked += table * domains.length;
        if (table == 0) {
          changes.add(noRoom(size).text());
        }
      }
    }
    if (entries >= entryLimit) {
      changes.add(noEntries().text());
    }
    var lockable = lockable();
    if (lockable.isPresent() && locked > lockable.getAsLong()) {
      changes.add(explanations.lockedMemory(locked, "this mapping").text());
    }
    return new DmaEstimate(
        changes.isEmpty(),
        iova,
        locked,
        lockable,
        1,
        entryLimit == IommuDomain.NO_LIMIT
            ? OptionalLong.empty()
            : OptionalLong.of(entryLimit - entries),
        changes);
  }

  /** What the table of a window that would be created takes; 0 where none would be. */
  private long tableOfNewWindow(long byteSize, long backing) {
    if (!hasDynamicWindows() || windows.size() >= windowing().limit()) {
      return 0;
    }
    long page = windowing().largestPage(backing);
    return page == 0
        ? 0
        : SpaprV2Domain.tableBytes(SpaprV2Domain.windowSize(byteSize, page) << 1, page);
  }

  /** What may still be locked; empty where no limit binds this process. */
  private OptionalLong lockable() {
    if (!limitsLocking) {
      return OptionalLong.empty();
    }
    var lockable = facts.lockableMemory();
    // iommufd counts by user, which no file tells: at least our own share is known.
    return lockable.isPresent() && type() == IommuType.IOMMUFD
        ? OptionalLong.of(
            Math.min(
                lockable.getAsLong(),
                Math.max(0, facts.kernel().lockedMemoryLimit() - mappedBytes)))
        : lockable;
  }

  private Explanation noRoom(long byteSize) {
    return new Explanation(
        "No valid IOVA range has %,d free bytes in one piece; the ranges are %s."
            .formatted(byteSize, windows),
        "Close buffers that are no longer needed, or use smaller ones.");
  }

  private Explanation noEntries() {
    return new Explanation(
        "All %,d mapping entries of the container are in use.".formatted(entryLimit),
        domains[0].entryAdvice());
  }

  @Override
  public DmaMapping map(MemorySegment segment, MapOptions options) {
    if (!segment.isNative() || segment.byteSize() == 0) {
      throw new IllegalArgumentException(
          "a device reaches native memory of at least 1 byte, not " + segment);
    }
    try {
      var mapping = new Mapping(segment, options.access());
      synchronized (this) {
        requireOpen();
        place(mapping, options, facts.kernel().pageSize());
      }
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

  private synchronized Buffer allocateBuffer(long byteSize, BufferOptions options) throws Refusal {
    requireOpen();
    var memory = DmaMemory.allocate(facts, byteSize, options);
    try (var undo = new Cleanup()) {
      undo.add(() -> free(memory));
      var buffer = new Buffer(memory, options.map().access());
      place(buffer, options.map(), memory.pageSize());
      undo.release();
      return buffer;
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
  void tryOnePage() throws Refusal {
    allocateBuffer(1, BufferOptions.anonymous()).giveBack();
  }

  /** Gives a new mapping an address, locks its memory and maps it; or does nothing. */
  private void place(Mapping mapping, MapOptions options, long backing) throws Refusal {
    checkEntries();
    checkLocking(mapping);
    if (!domains[0].translates()) {
      placeWithoutIommu(mapping, options);
      return;
    }
    long iova = address(mapping, options, backing);
    mapping.iova = iova;
    boolean mapped = false;
    try {
      acquire(mapping);
      try {
        mapInAll(mapping);
        mapped = true;
      } finally {
        if (!mapped) {
          release(mapping);
        }
      }
    } finally {
      if (!mapped) {
        addresses.remove(iova);
      }
    }
  }

  /** Takes an address for a new mapping. */
  private long address(Mapping mapping, MapOptions options, long backing) throws Refusal {
    long byteSize = mapping.byteSize;
    if (options.iova().isPresent()) {
      long iova = options.iova().getAsLong();
      var refusal = addressRefusal(iova, byteSize, mapping.address, backing);
      if (refusal.isPresent()) {
        throw Refusal.notAsked("map", refusal.get());
      }
      if (!addresses.insert(iova, byteSize, mapping)) {
        throw new IllegalStateException("0x%x is free and taken".formatted(iova));
      }
      return iova;
    }
    long usable = usablePage(mapping.address, byteSize, backing);
    var found = choose(byteSize, options, usable, mapping);
    if (found.isEmpty() && grow(byteSize, usable)) {
      found = choose(byteSize, options, usable, mapping);
    }
    if (found.isEmpty()) {
      var smallest = windows.stream().min(Comparator.comparingLong(DmaWindow::pageSize));
      var refusal =
          smallest.flatMap(window -> memoryRefusal(window, byteSize, mapping.address, backing));
      throw Refusal.notAsked("map", refusal.orElseGet(() -> noRoom(byteSize)));
    }
    return found.getAsLong();
  }

  /** The largest IOMMU page that this memory can be mapped with. */
  private static long usablePage(long address, long byteSize, long backing) {
    return Long.lowestOneBit(address | byteSize | backing);
  }

  /**
   * A free address in the first window that has one.
   *
   * @param owner takes the address; null to leave it free
   */
  private OptionalLong choose(
      long byteSize, MapOptions options, long usablePage, @Nullable Mapping owner) {
    for (var window : windows) {
      long highest = unsignedMin(options.highest(), window.last());
      if (window.pageSize() > usablePage || Long.compareUnsigned(window.start(), highest) > 0) {
        continue;
      }
      long alignment = Math.max(options.alignment(), window.pageSize());
      long found =
          owner == null
              ? addresses.nextFree(byteSize, alignment, window.start(), highest)
              : addresses.allocate(byteSize, alignment, window.start(), highest, owner);
      if (found != IovaMap.NONE) {
        return OptionalLong.of(found);
      }
    }
    return OptionalLong.empty();
  }

  /**
   * Makes room where no window has it: a window of twice the size, so that aligned and further
   * mappings fit too, with the largest IOMMU page that the memory can have.
   *
   * @return whether there is a new window
   */
  private boolean grow(long byteSize, long usablePage) throws Refusal {
    if (!hasDynamicWindows() || byteSize > 1L << 61) {
      return false;
    }
    var windowing = windowing();
    long page = windowing.largestPage(usablePage);
    if (page == 0) {
      return false;
    }
    long windowSize = SpaprV2Domain.windowSize(byteSize, page) << 1;
    if (windows.size() < windowing.limit()) {
      windowing.createInAll(windowSize, page);
      return true;
    }
    if (windowing.limit() == 1 && windowing.hasDefault() && entries == 0) {
      windowing.replaceInAll(windowSize, page);
      return true;
    }
    return false;
  }

  private void placeWithoutIommu(Mapping mapping, MapOptions options) throws Refusal {
    long page = facts.kernel().pageSize();
    if (((mapping.address | mapping.byteSize) & (page - 1)) != 0) {
      throw Refusal.notAsked(
          "map",
          memoryRefusal(windows.getFirst(), mapping.byteSize, mapping.address, page).orElseThrow());
    }
    acquire(mapping);
    boolean placed = false;
    try {
      long iova = domains[0].physicalAddress(mapping.address, mapping.byteSize);
      if (options.iova().isPresent() && options.iova().getAsLong() != iova) {
        throw Refusal.notAsked(
            "map",
            new Explanation(
                "Without an IOMMU the device's addresses are physical ones: this memory is at 0x%x and nowhere else."
                    .formatted(iova),
                "Map it without choosing an address."));
      }
      if (Long.compareUnsigned(iova + mapping.byteSize - 1, options.highest()) > 0) {
        throw Refusal.notAsked(
            "map",
            new Explanation(
                "Without an IOMMU memory has its physical address, here 0x%x, which the device cannot reach."
                    .formatted(iova),
                "Use an IOMMU."));
      }
      if (!addresses.insert(iova, mapping.byteSize, mapping)) {
        throw Refusal.notAsked(
            "map",
            new Explanation(
                "The memory is mapped already: %s.".formatted(overlapping(iova)),
                "Use that mapping."));
      }
      mapping.iova = iova;
      mapInAll(mapping);
      placed = true;
    } finally {
      if (!placed) {
        release(mapping);
      }
    }
  }

  private void checkEntries() throws Refusal {
    if (entries >= entryLimit) {
      throw Refusal.notAsked("map", noEntries());
    }
  }

  private void checkLocking(Mapping mapping) throws Refusal {
    if (!limitsLocking) {
      return;
    }
    long needed = 0;
    for (var domain : domains) {
      needed += domain.lockedBytes(mapping.address, mapping.byteSize);
    }
    var lockable = lockable();
    if (lockable.isPresent() && needed > lockable.getAsLong()) {
      throw Refusal.notAsked("map", explanations.lockedMemory(needed, "this mapping"));
    }
  }

  /** Locks memory with every domain, or with none. */
  private void acquire(Mapping mapping) throws Refusal {
    acquire(mapping.address, mapping.byteSize);
  }

  private void acquire(long address, long byteSize) throws Refusal {
    int done = 0;
    try {
      for (; done < domains.length; done++) {
        domains[done].acquire(address, byteSize);
      }
    } catch (Refusal refusal) {
      while (done-- > 0) {
        try {
          domains[done].release(address, byteSize);
        } catch (Refusal another) {
          refusal.addSuppressed(another);
        }
      }
      throw refusal;
    }
  }

  private void release(Mapping mapping) throws Refusal {
    release(mapping.address, mapping.byteSize);
  }

  private void release(long address, long byteSize) throws Refusal {
    @Nullable Refusal first = null;
    for (var domain : domains) {
      try {
        domain.release(address, byteSize);
      } catch (Refusal refusal) {
        first = first == null ? refusal : first;
      }
    }
    if (first != null) {
      throw first;
    }
  }

  /** Maps in every domain, or in none. */
  private void mapInAll(Mapping mapping) throws Refusal {
    int done = 0;
    try {
      for (; done < domains.length; done++) {
        mapping.mapIn(domains[done]);
      }
    } catch (Refusal refusal) {
      while (done-- > 0) {
        try {
          domains[done].unmap(mapping.iova, mapping.byteSize);
        } catch (Refusal another) {
          refusal.addSuppressed(another);
          mapping.stuck = true;
        }
      }
      throw refusal;
    }
    mapping.mapped = true;
    entries++;
    mappedBytes += mapping.byteSize;
  }

  /** Unmaps in every domain, whatever some of them answer. */
  private void unmapInAll(Mapping mapping) throws Refusal {
    @Nullable Refusal first = null;
    for (var domain : domains) {
      try {
        domain.unmap(mapping.iova, mapping.byteSize);
      } catch (Refusal refusal) {
        first = first == null ? refusal : first;
      }
    }
    if (first != null) {
      mapping.stuck = true;
      throw first;
    }
    unmapped(mapping);
  }

  private void unmapped(Mapping mapping) {
    mapping.mapped = false;
    entries--;
    mappedBytes -= mapping.byteSize;
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException(
          "the DMA space of " + subject + " is closed: no IOMMU is set any more");
    }
  }

  private boolean hasDynamicWindows() {
    return Arrays.stream(domains).allMatch(IommuDomain::hasDynamicWindows);
  }

  private Windowing windowing() {
    return new Windowing();
  }

  @Override
  public Optional<DynamicWindows> dynamicWindows() {
    return hasDynamicWindows() ? Optional.of(windowing()) : Optional.empty();
  }

  @Override
  public DmaRegistration register(MemorySegment segment) {
    if (!segment.isNative() || segment.byteSize() == 0) {
      throw new IllegalArgumentException(
          "native memory of at least 1 byte can be locked, not " + segment);
    }
    synchronized (this) {
      requireOpen();
      try {
        acquire(segment.address(), segment.byteSize());
      } catch (Refusal e) {
        throw e.of(subject);
      }
    }
    return new Registered(segment);
  }

  @Override
  public DirtyTracking trackDirtyPages() {
    synchronized (this) {
      requireOpen();
      try {
        int done = 0;
        try {
          for (; done < domains.length; done++) {
            domains[done].trackDirtyPages(true);
          }
        } catch (Refusal refusal) {
          while (done-- > 0) {
            domains[done].trackDirtyPages(false);
          }
          throw refusal;
        }
      } catch (Refusal e) {
        throw e.of(subject);
      }
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
      open = new ArrayList<>(addresses.size());
      addresses.forEach((_, _, mapping) -> open.add(mapping));
      unmapAtOnce(open);
    }
    try (var steps = new Cleanup()) {
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
      if (domains[0].unmapAll()) {
        for (var mapping : open) {
          if (mapping.mapped) {
            unmapped(mapping);
          }
        }
      }
    } catch (IllegalStateException | Refusal e) {
      // Each mapping is closed on its own next, and says then what is wrong with it.
      return;
    }
  }

  /** Frees what could not be unmapped; call it once no device can reach memory any more. */
  void freeOrphans() {
    try (var steps = new Cleanup()) {
      orphans.forEach(steps::add);
      orphans.clear();
    }
  }

  String subject() {
    return subject;
  }

  private static long roundUp(long byteSize, long unit) {
    return (byteSize + unit - 1) & -unit;
  }

  private static long unsignedMax(long a, long b) {
    return Long.compareUnsigned(a, b) >= 0 ? a : b;
  }

  private static long unsignedMin(long a, long b) {
    return Long.compareUnsigned(a, b) <= 0 ? a : b;
  }

  /** What is mapped, as the space keeps it; the user has a handle. */
  private class Mapping {
    final long byteSize;
    final DmaAccess access;
    final String place = Leaks.place();

    /** Keeps memory of the garbage collector's in place. */
    private MemorySegment memory;

    long address;
    long iova;
    boolean mapped;

    /** A domain refused to unmap it: the device may reach it. */
    boolean stuck;

    /** Guarded by the space's lock, as all of the state: a volatile read costs POWER a barrier. */
    private boolean closed;

    Mapping(MemorySegment memory, DmaAccess access) {
      this.memory = memory;
      this.address = memory.address();
      this.byteSize = memory.byteSize();
      this.access = access;
    }

    MemorySegment memory() {
      return memory;
    }

    final boolean isClosed() {
      synchronized (MappedSpace.this) {
        return closed;
      }
    }

    void mapIn(IommuDomain domain) throws Refusal {
      domain.map(address, iova, byteSize, access);
    }

    LiveMapping live() {
      return new LiveMapping(iova, byteSize, access, mapped, place);
    }

    final void map() {
      synchronized (MappedSpace.this) {
        requireOpenMapping();
        if (mapped) {
          return;
        }
        try {
          checkEntries();
          mapInAll(this);
        } catch (Refusal e) {
          throw e.of(subject + ", " + this);
        }
      }
    }

    final void unmap() {
      synchronized (MappedSpace.this) {
        requireOpenMapping();
        if (!mapped) {
          return;
        }
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
        if (!other.isNative() || other.byteSize() != byteSize || !mapped) {
          throw new IllegalArgumentException(
              "only what is mapped can be rebased, to native memory of the same length");
        }
        try {
          for (var domain : domains) {
            if (!domain.exchange(other.address(), iova, byteSize)) {
              throw Refusal.notAsked(
                  "rebase",
                  new Explanation(
                      "IOMMU type %s cannot exchange the address of mapped memory."
                          .formatted(type()),
                      "Unmap the memory and map the other."));
            }
          }
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
        if (mapped) {
          try {
            unmapInAll(this);
          } catch (Refusal refusal) {
            orphans.add(this::freeMemory);
            throw refusal;
          }
        }
        if (stuck) {
          orphans.add(this::freeMemory);
          return;
        }
        addresses.remove(iova);
        try {
          release(this);
        } finally {
          freeMemory();
        }
      }
    }

    @Override
    public String toString() {
      return "0x%x..0x%x (%,d bytes)".formatted(iova, iova + byteSize - 1, byteSize);
    }
  }

  /** A mapping of memory that is the space's own. */
  private final class Buffer extends Mapping {
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
      if (own.fd().isEmpty() || !domain.mapFile(own.fd().getAsInt(), iova, byteSize, access)) {
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

  /** What the user has. */
  private static class MappingHandle implements DmaMapping {
    final Mapping mapping;

    MappingHandle(Mapping mapping) {
      this.mapping = mapping;
      Leaks.watch(this, () -> mapping.isClosed() ? null : "DMA mapping " + mapping, mapping.place);
    }

    @Override
    public final MemorySegment segment() {
      return mapping.memory();
    }

    @Override
    public final long iova() {
      return mapping.iova;
    }

    @Override
    public final DmaAccess access() {
      return mapping.access;
    }

    @Override
    public final boolean isMapped() {
      return mapping.mapped;
    }

    @Override
    public final void unmap() {
      mapping.unmap();
    }

    @Override
    public final void map() {
      mapping.map();
    }

    @Override
    public final void rebase(MemorySegment memory) {
      mapping.rebase(memory);
    }

    @Override
    public final void close() {
      mapping.close();
    }

    @Override
    public final String toString() {
      return "DMA mapping " + mapping;
    }
  }

  private static final class BufferHandle extends MappingHandle implements DmaBuffer {
    private final DmaMemory own;

    BufferHandle(Buffer buffer) {
      this.own = buffer.own;
      super(buffer);
    }

    @Override
    public long pageSize() {
      return own.pageSize();
    }

    @Override
    public Optional<String> fallback() {
      return own.fallback();
    }

    @Override
    public OptionalInt fileDescriptor() {
      return mapping.isClosed() ? OptionalInt.empty() : own.fd();
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
        addresses.forEach((_, _, mapping) -> requireOutside(mapping));
        ended = true;
        try {
          release(memory.address(), memory.byteSize());
        } catch (Refusal e) {
          throw e.of(subject);
        }
      }
    }

    private void requireOutside(Mapping mapping) {
      long end = memory.address() + memory.byteSize();
      if (mapping.address < end && memory.address() < mapping.address + mapping.byteSize) {
        throw new IllegalStateException(
            ("memory from 0x%x to 0x%x cannot be unregistered while a part of it is mapped at %s (made at %s): the"
                    + " kernel would say yes and keep the pages locked for good. Close that mapping first.")
                .formatted(memory.address(), end, mapping, mapping.place));
      }
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
          for (var domain : domains) {
            var part = arena.allocate(byteSize, Long.BYTES);
            domain.readDirtyPages(mapping.iova(), mapping.byteSize(), part);
            for (long at = 0; at < byteSize; at += Long.BYTES) {
              bitmap.set(
                  ValueLayout.JAVA_LONG_UNALIGNED,
                  at,
                  bitmap.get(ValueLayout.JAVA_LONG_UNALIGNED, at)
                      | part.get(ValueLayout.JAVA_LONG, at));
            }
          }
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
        if (closed) {
          return; // tracking ended with the space
        }
        try {
          for (var domain : domains) {
            domain.trackDirtyPages(false);
          }
        } catch (Refusal e) {
          throw e.of(subject);
        }
      }
    }
  }

  /** Windows of sPAPR version 2, the same in every domain. */
  private final class Windowing implements DynamicWindows {
    private SpaprV2Domain first() {
      return (SpaprV2Domain) domains[0];
    }

    @Override
    public int limit() {
      return first().windowLimit();
    }

    @Override
    public List<Long> pageSizes() {
      var sizes = new ArrayList<Long>();
      for (long rest = first().pageSizes(); rest != 0; rest &= rest - 1) {
        sizes.add(Long.lowestOneBit(rest));
      }
      return List.copyOf(sizes);
    }

    @Override
    public int levels() {
      return first().levels();
    }

    /** The largest page of a window that memory of such pages can be mapped in; 0 for none. */
    long largestPage(long backing) {
      return Long.highestOneBit(first().pageSizes() & (backing | (backing - 1)));
    }

    boolean hasDefault() {
      return windows.contains(first().defaultWindow());
    }

    @Override
    public DmaWindow create(long byteSize, long pageSize) {
      return changing(() -> createInAll(requirePositive(byteSize), pageSize));
    }

    @Override
    public void remove(DmaWindow window) {
      changing(
          () -> {
            requireEmpty(window);
            removeFromAll(window);
            return window;
          });
    }

    @Override
    public DmaWindow replaceDefault(long byteSize, long pageSize) {
      return changing(() -> replaceInAll(requirePositive(byteSize), pageSize));
    }

    @Override
    public DmaWindow restoreDefault() {
      return changing(
          () -> {
            if (hasDefault()) {
              throw Refusal.notAsked(
                  "create a window", new Explanation("The default window is there.", ""));
            }
            var window = first().defaultWindow();
            return createInAll(window.last() - window.start() + 1, window.pageSize());
          });
    }

    private static long requirePositive(long byteSize) {
      if (byteSize < 1 || byteSize > 1L << 62) {
        throw new IllegalArgumentException("no window has %,d bytes".formatted(byteSize));
      }
      return byteSize;
    }

    private DmaWindow changing(Change change) {
      synchronized (MappedSpace.this) {
        requireOpen();
        try {
          return change.make();
        } catch (Refusal e) {
          throw e.of(subject);
        }
      }
    }

    private void requireEmpty(DmaWindow window) throws Refusal {
      if (!windows.contains(window)) {
        throw Refusal.notAsked(
            "remove a window",
            new Explanation(
                "There is no window %s; there are %s.".formatted(window, windows),
                "Windows are removed whole."));
      }
      addresses.forEach(
          (start, _, mapping) -> {
            if (window.contains(start, 1)) {
              throw new IllegalStateException(
                  "window %s cannot go while %s (made at %s) is mapped in it"
                      .formatted(window, mapping, mapping.place));
            }
          });
    }

    /** Creates a window in every domain, at the same place, or in none. */
    DmaWindow createInAll(long byteSize, long pageSize) throws Refusal {
      var made = new ArrayList<DmaWindow>();
      try {
        for (var domain : domains) {
          made.add(((SpaprV2Domain) domain).createWindow(byteSize, pageSize));
        }
        if (made.stream().distinct().count() > 1) {
          throw Refusal.notAsked(
              "create a window",
              new Explanation(
                  "The platform puts the window at different addresses for different groups: %s."
                      .formatted(made),
                  "Open the groups one by one."));
        }
      } catch (Refusal refusal) {
        for (int i = made.size() - 1; i >= 0; i--) {
          try {
            ((SpaprV2Domain) domains[i]).removeWindow(made.get(i));
          } catch (Refusal another) {
            refusal.addSuppressed(another);
          }
        }
        throw refusal;
      } finally {
        learnWindows();
      }
      return made.getFirst();
    }

    private void removeFromAll(DmaWindow window) throws Refusal {
      try {
        for (var domain : domains) {
          ((SpaprV2Domain) domain).removeWindow(window);
        }
      } finally {
        learnWindows();
      }
    }

    DmaWindow replaceInAll(long byteSize, long pageSize) throws Refusal {
      var before = first().defaultWindow();
      requireEmpty(before);
      if (!pageSizes().contains(pageSize)) {
        throw Refusal.notAsked(
            "create a window",
            new Explanation(
                "A window here has pages of %s bytes, not of %,d.".formatted(pageSizes(), pageSize),
                "Choose one of those."));
      }
      removeFromAll(before);
      try {
        return createInAll(byteSize, pageSize);
      } catch (Refusal refusal) {
        try {
          createInAll(before.last() - before.start() + 1, before.pageSize());
        } catch (Refusal another) {
          refusal.addSuppressed(another);
        }
        throw refusal;
      }
    }
  }

  @FunctionalInterface
  private interface Change {
    DmaWindow make() throws Refusal;
  }
}
