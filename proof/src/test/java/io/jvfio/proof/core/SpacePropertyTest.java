// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof.core;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.BufferOptions;
import io.jvfio.DmaMapping;
import io.jvfio.DmaWindow;
import io.jvfio.LiveMapping;
import io.jvfio.MapOptions;
import io.jvfio.VfioException;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Random operations on a space, against a table of ranges. */
class SpacePropertyTest {
  private static final int OPERATIONS = 400;
  private static final long PAGE = 64 << 10;

  static Stream<String> spaces() {
    return Stream.concat(
        OpenSpace.TRANSLATING.stream().map(name -> name + " 1"),
        Stream.of(
            "x86-6.12 type1v2 2", "pseries-6.12 spapr-tce-v2 2", "powernv-6.12 spapr-tce-v2 2"));
  }

  @ParameterizedTest
  @MethodSource("spaces")
  void agreesWithANaiveModelAndWithTheKernel(String space) {
    int end = space.lastIndexOf(' ');
    for (long seed = 1; seed <= 2; seed++) {
      try (var open =
          OpenSpace.open(
              space.substring(0, end),
              OpenSpace.unlimited(),
              Integer.parseInt(space.substring(end + 1)))) {
        new Walk(open, seed).run();
      }
    }
  }

  /** One sequence of operations. */
  private static final class Walk {
    private final OpenSpace open;
    private final Random random;
    private final String what;
    private final TreeMap<Long, DmaMapping> model = new TreeMap<>(Long::compareUnsigned);

    Walk(OpenSpace open, long seed) {
      this.open = open;
      this.random = new Random(seed);
      this.what = open.host.name() + ", seed " + seed;
    }

    void run() {
      for (int i = 0; i < OPERATIONS; i++) {
        step();
        if (i % 16 == 0) {
          check();
        }
      }
      check();
    }

    private void step() {
      switch (random.nextInt(8)) {
        case 0, 1 -> allocate(MapOptions.anywhere(), -1);
        case 2 -> allocate(MapOptions.anywhere().withAddressBits(32), (1L << 32) - 1);
        case 3 -> {
          long alignment = PAGE << random.nextInt(6);
          var mapping = allocate(MapOptions.anywhere().alignedTo(alignment), -1);
          assertThat(mapping.iova() & (alignment - 1)).as(what).isZero();
        }
        case 4 -> fixed();
        case 5 -> any().ifPresent(DmaMapping::unmap);
        case 6 -> any().ifPresent(DmaMapping::map);
        default ->
            any()
                .ifPresent(
                    mapping -> {
                      model.remove(mapping.iova());
                      mapping.close();
                    });
      }
    }

    private Optional<DmaMapping> any() {
      return model.values().stream().skip(random.nextInt(model.size() + 1)).findFirst();
    }

    private DmaMapping allocate(MapOptions options, long highest) {
      long byteSize = PAGE * (1 + random.nextInt(16));
      var estimate = open.space.estimate(byteSize, options);
      var mapping = open.space.allocate(byteSize, BufferOptions.anonymous().mapped(options));
      assertThat(estimate.iova()).as(what).hasValue(mapping.iova());
      assertThat(Long.compareUnsigned(mapping.iova() + byteSize - 1, highest))
          .as(what)
          .isNotPositive();
      assertThat(isFree(mapping.iova(), byteSize)).as(what).isTrue();
      model.put(mapping.iova(), mapping);
      return mapping;
    }

    private void fixed() {
      var window = open.space.windows().getFirst();
      long iova = window.start() + PAGE * random.nextInt(600);
      long byteSize = PAGE * (1 + random.nextInt(16));
      boolean fits = isFree(iova, byteSize);
      assertThat(open.space.explain(iova, byteSize).free()).as(what).isEqualTo(fits);
      try {
        var mapping =
            open.space.allocate(byteSize, BufferOptions.anonymous().mapped(MapOptions.at(iova)));
        assertThat(fits).as(what).isTrue();
        model.put(iova, mapping);
      } catch (VfioException e) {
        assertThat(fits).as(what + ": " + e.getMessage()).isFalse();
        assertThat(e.errno()).as(what).isEmpty();
      }
    }

    private boolean isFree(long iova, long byteSize) {
      return open.space.windows().stream().anyMatch(window -> contains(window, iova, byteSize))
          && model.values().stream()
              .noneMatch(
                  mapping ->
                      mapping.iova() < iova + byteSize
                          && iova < mapping.iova() + mapping.byteSize());
    }

    private static boolean contains(DmaWindow window, long iova, long byteSize) {
      return Long.compareUnsigned(iova, window.start()) >= 0
          && Long.compareUnsigned(iova + byteSize - 1, window.last()) <= 0;
    }

    private void check() {
      assertThat(open.space.layout().mappings().stream().map(LiveMapping::iova).toList())
          .as(what)
          .isEqualTo(model.keySet().stream().toList());
      long mapped =
          model.values().stream()
              .filter(DmaMapping::isMapped)
              .mapToLong(DmaMapping::byteSize)
              .sum();
      assertThat(open.host.resources().dmaMappedBytes())
          .as(what)
          .isEqualTo(mapped * open.groups.domains());
      for (var live : open.space.layout().mappings()) {
        var mapping = requireNonNull(model.get(live.iova()));
        assertThat(mapping.byteSize()).as(what).isEqualTo(live.byteSize());
        assertThat(mapping.isMapped()).as(what).isEqualTo(live.mapped());
      }
    }
  }
}
