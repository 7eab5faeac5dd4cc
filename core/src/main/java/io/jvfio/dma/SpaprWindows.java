package io.jvfio.dma;

import io.jvfio.DmaWindow;
import io.jvfio.DynamicWindows;
import io.jvfio.MapOptions;
import io.jvfio.iommu.IommuDomain;
import io.jvfio.iommu.SpaprV2Domain;
import io.jvfio.kernel.Explanation;
import io.jvfio.kernel.Refusal;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The windows of sPAPR version 2, the same in every domain of a space. */
final class SpaprWindows implements DynamicWindows {
  private final MappedSpace space;
  private final IommuDomain[] domains;
  private final Addresses addresses;

  /**
   * The windows of {@code space}.
   *
   * @param domains all of version 2
   */
  SpaprWindows(MappedSpace space, IommuDomain[] domains, Addresses addresses) {
    this.space = space;
    this.domains = domains;
    this.addresses = addresses;
  }

  /**
   * A window that makes room where no other has it.
   *
   * @param windowSize in bytes
   * @param pageSize of its IOMMU pages, in bytes
   * @param replacesDefault whether the default window goes for it
   * @param lockedBytes what all its tables lock on top of what is locked now
   */
  record Growth(long windowSize, long pageSize, boolean replacesDefault, long lockedBytes) {}

  /**
   * The window to make for so many bytes: of twice the size, so that aligned and further mappings
   * fit too, with the largest IOMMU page that the memory can have. Null if there can be none.
   */
  @Nullable Growth growth(long byteSize, long usablePage, MapOptions options) {
    if (byteSize > 1L << 61) {
      return null;
    }
    long page = largestPage(usablePage);
    boolean replaces = addresses.windows().size() >= limit();
    if (page == 0 || (replaces && !(limit() == 1 && hasDefault() && addresses.isEmpty()))) {
      return null;
    }
    // A further window is where the platform puts it, far above what such devices reach.
    if (!replaces && options.highest() != -1) {
      return null;
    }
    long windowSize = SpaprV2Domain.windowSize(byteSize, page) << 1;
    long locked = tableBytes(windowSize, page);
    if (replaces) {
      locked -= tableBytes(defaultWindow());
    }
    return new Growth(windowSize, page, replaces, locked * domains.length);
  }

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

  DmaWindow defaultWindow() {
    return first().defaultWindow();
  }

  boolean hasDefault() {
    return addresses.windows().contains(defaultWindow());
  }

  long tableBytes(DmaWindow window) {
    return tableBytes(window.last() - window.start() + 1, window.pageSize());
  }

  /** What the table of a window locks in each domain. */
  long tableBytes(long windowSize, long pageSize) {
    return first().tableBytes(windowSize, pageSize);
  }

  void make(Growth growth) throws Refusal {
    if (growth.replacesDefault()) {
      replaceInAll(growth.windowSize(), growth.pageSize());
    } else {
      createInAll(growth.windowSize(), growth.pageSize());
    }
  }

  /** Takes back what {@link #make} made, in which nothing is mapped. */
  void undo(Growth growth) throws Refusal {
    for (var window : addresses.windows()) {
      if (!window.equals(defaultWindow())
          && window.pageSize() == growth.pageSize()
          && window.last() - window.start() + 1 == growth.windowSize()) {
        requireEmpty(window);
        removeFromAll(window);
        break;
      }
    }
    if (growth.replacesDefault()) {
      createDefault();
    }
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
          return createDefault();
        });
  }

  private DmaWindow createDefault() throws Refusal {
    var wanted = defaultWindow();
    var made = createInAll(wanted.last() - wanted.start() + 1, wanted.pageSize());
    if (!made.equals(wanted)) {
      removeFromAll(made);
      throw Refusal.notAsked(
          "create a window",
          new Explanation(
              "The place of the default window %s is taken; the platform put it at %s."
                  .formatted(wanted, made),
              "Remove the windows that there are, then restore it: " + addresses.windows() + "."));
    }
    return made;
  }

  private static long requirePositive(long byteSize) {
    if (byteSize < 1 || byteSize > 1L << 62) {
      throw new IllegalArgumentException("no window has %,d bytes".formatted(byteSize));
    }
    return byteSize;
  }

  private DmaWindow changing(Change change) {
    synchronized (space) {
      space.requireOpen();
      try {
        return change.make();
      } catch (Refusal e) {
        throw e.of(space.subject());
      }
    }
  }

  private void requireEmpty(DmaWindow window) throws Refusal {
    if (!addresses.windows().contains(window)) {
      throw Refusal.notAsked(
          "remove a window",
          new Explanation(
              "There is no window %s; there are %s.".formatted(window, addresses.windows()),
              "Windows are removed whole."));
    }
    for (var mapping : addresses.mappings()) {
      if (window.contains(mapping.iova, 1)) {
        throw new IllegalStateException(
            "window %s cannot go while %s (made at %s) is mapped in it"
                .formatted(window, mapping, mapping.place));
      }
    }
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
      addresses.learnWindows(domains);
    }
    return made.getFirst();
  }

  /** Removes a window from every domain, or puts it back. */
  private void removeFromAll(DmaWindow window) throws Refusal {
    int done = 0;
    try {
      for (; done < domains.length; done++) {
        ((SpaprV2Domain) domains[done]).removeWindow(window);
      }
    } catch (Refusal refusal) {
      while (done-- > 0) {
        try {
          ((SpaprV2Domain) domains[done])
              .createWindow(window.last() - window.start() + 1, window.pageSize());
        } catch (Refusal another) {
          refusal.addSuppressed(another);
        }
      }
      throw refusal;
    } finally {
      addresses.learnWindows(domains);
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
        createDefault();
      } catch (Refusal another) {
        refusal.addSuppressed(another);
      }
      throw refusal;
    }
  }

  @FunctionalInterface
  private interface Change {
    DmaWindow make() throws Refusal;
  }
}
