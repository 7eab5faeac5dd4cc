// SPDX-License-Identifier: Apache-2.0
package io.jvfio.dma;

import io.jvfio.DmaWindow;
import io.jvfio.DynamicWindows;
import io.jvfio.MapOptions;
import io.jvfio.iommu.IommuDomain;
import io.jvfio.iommu.SpaprV2Domain;
import io.jvfio.kernel.Refusal;
import io.jvfio.spi.Explanation;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The windows of sPAPR version 2, the same in every domain of a space. */
final class SpaprWindows implements DynamicWindows {
  private final MappedSpace space;
  private final List<SpaprV2Domain> domains;
  private final SpaprV2Domain anyDomain;
  private final DmaWindow defaultWindow;
  private final Addresses addresses;

  private SpaprWindows(MappedSpace space, List<SpaprV2Domain> domains, Addresses addresses) {
    this.space = space;
    this.domains = domains;
    this.anyDomain = domains.getFirst();
    this.defaultWindow = anyDomain.defaultWindow();
    this.addresses = addresses;
  }

  /** The windows of {@code space}; null unless they come and go in each of its domains. */
  static @Nullable SpaprWindows of(
      MappedSpace space, List<? extends IommuDomain> domains, Addresses addresses) {
    var dynamic = new ArrayList<SpaprV2Domain>();
    for (var domain : domains) {
      if (!(domain instanceof SpaprV2Domain version2) || !version2.hasDynamicWindows()) {
        return null;
      }
      dynamic.add(version2);
    }
    return new SpaprWindows(space, dynamic, addresses);
  }

  /** A window that makes room where no other has it. */
  final class Growth {
    /** What all its tables lock on top of what is locked now, in bytes. */
    final long lockedBytes;

    private final long windowSize;
    private final long pageSize;
    private final boolean replacesDefault;

    private Growth(long windowSize, long pageSize, boolean replacesDefault) {
      this.windowSize = windowSize;
      this.pageSize = pageSize;
      this.replacesDefault = replacesDefault;
      long perDomain = tableBytes(windowSize, pageSize);
      if (replacesDefault) {
        perDomain -= tableBytes(byteSize(defaultWindow), defaultWindow.pageSize());
      }
      this.lockedBytes = perDomain * domains.size();
    }

    void make() throws Refusal {
      if (replacesDefault) {
        replaceInAll(windowSize, pageSize);
      } else {
        createInAll(windowSize, pageSize);
      }
    }

    /** Takes back what {@link #make} made, in which nothing is mapped. */
    void undo() throws Refusal {
      for (var window : addresses.windows()) {
        if (!window.equals(defaultWindow)
            && window.pageSize() == pageSize
            && byteSize(window) == windowSize) {
          requireEmpty(window);
          removeFromAll(window);
          break;
        }
      }
      if (replacesDefault) {
        createDefault();
      }
    }
  }

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
    return new Growth(SpaprV2Domain.windowSize(byteSize, page) << 1, page, replaces);
  }

  @Override
  public int limit() {
    return anyDomain.windowLimit();
  }

  @Override
  public List<Long> pageSizes() {
    var sizes = new ArrayList<Long>();
    for (long rest = anyDomain.pageSizes(); rest != 0; rest &= rest - 1) {
      sizes.add(Long.lowestOneBit(rest));
    }
    return List.copyOf(sizes);
  }

  @Override
  public int levels() {
    return anyDomain.levels();
  }

  /** The largest page of a window that memory of such pages can be mapped in; 0 for none. */
  private long largestPage(long backing) {
    return Long.highestOneBit(anyDomain.pageSizes() & (backing | (backing - 1)));
  }

  private boolean hasDefault() {
    return addresses.windows().contains(defaultWindow);
  }

  private static long byteSize(DmaWindow window) {
    return window.last() - window.start() + 1;
  }

  /** What the table of a window locks in each domain. */
  private long tableBytes(long windowSize, long pageSize) {
    return anyDomain.tableBytes(windowSize, pageSize);
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
    var made = createInAll(byteSize(defaultWindow), defaultWindow.pageSize());
    if (!made.equals(defaultWindow)) {
      removeFromAll(made);
      throw Refusal.notAsked(
          "create a window",
          new Explanation(
              "The place of the default window %s is taken; the platform put it at %s."
                  .formatted(defaultWindow, made),
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
  private DmaWindow createInAll(long byteSize, long pageSize) throws Refusal {
    var made = new ArrayList<DmaWindow>();
    try {
      for (var domain : domains) {
        made.add(domain.createWindow(byteSize, pageSize));
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
          domains.get(i).removeWindow(made.get(i));
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
    try {
      AllDomains.withAllOrNone(
          domains,
          domain -> domain.removeWindow(window),
          domain -> domain.createWindow(byteSize(window), window.pageSize()));
    } finally {
      addresses.learnWindows(domains);
    }
  }

  private DmaWindow replaceInAll(long byteSize, long pageSize) throws Refusal {
    requireEmpty(defaultWindow);
    if (!pageSizes().contains(pageSize)) {
      throw Refusal.notAsked(
          "create a window",
          new Explanation(
              "A window here has pages of %s bytes, not of %,d.".formatted(pageSizes(), pageSize),
              "Choose one of those."));
    }
    removeFromAll(defaultWindow);
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
