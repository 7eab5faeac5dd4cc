// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.RegisterMap.Access;
import io.jvfio.model.RegisterMap.PartialWrite;
import io.jvfio.model.RegisterMap.Unmapped;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Random maps and accesses, against one that looks at every byte by itself. */
class RegisterMapPropertyTest {
  private static final int SIZE = 4096;
  private static final int MAPS = 150;
  private static final int ACCESSES = 300;

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void agreesWithANaiveMap(long seed) {
    for (int i = 0; i < MAPS; i++) {
      new Walk(seed << 32 | i).run();
    }
  }

  /** What a byte belongs to: a register, or a byte of memory. */
  private record Owner(
      int start, int width, Access access, int narrowest, int widest, PartialWrite partial) {
    boolean reads(int accessWidth) {
      return access != Access.WRITE_ONLY && narrowest <= accessWidth && accessWidth <= widest;
    }

    boolean writes(int accessWidth) {
      return access != Access.READ_ONLY && narrowest <= accessWidth && accessWidth <= widest;
    }
  }

  private static final class Walk {
    private final String what;
    private final Random random;
    private final @Nullable Owner[] owners = new Owner[SIZE];
    private final byte[] bytes = new byte[SIZE];

    /** What the handlers of the map work on. */
    private final byte[] device = new byte[SIZE];

    private final boolean readsOnes;
    private final boolean refuses;
    private final RegisterMap map;

    Walk(long seed) {
      what = "seed %x".formatted(seed);
      random = new Random(seed);
      readsOnes = random.nextBoolean();
      refuses = random.nextInt(4) == 0;
      var builder =
          RegisterMap.builder(what, SIZE).unmapped(readsOnes ? Unmapped.ONES : Unmapped.ZEROS);
      if (refuses) {
        builder.refuseUnmappedWrites();
      }
      for (int i = random.nextInt(60); i >= 0; i--) {
        declare(builder, "part " + i);
      }
      map = builder.build();
    }

    private void declare(RegisterMap.Builder builder, String name) {
      int narrowest = 1 << random.nextInt(4);
      int widest = narrowest << random.nextInt(4 - Integer.numberOfTrailingZeros(narrowest));
      if (random.nextInt(3) != 0) {
        narrowest = 1;
        widest = 8;
      }
      var partial = any(PartialWrite.values());
      builder.accessWidths(narrowest, widest).partialWrites(partial);
      int width = 1 << random.nextInt(4);
      int start = random.nextInt(random.nextBoolean() ? 64 : SIZE) & -width;
      switch (random.nextInt(5)) {
        case 0 -> {
          int size = random.nextInt(1, random.nextBoolean() ? 20 : SIZE);
          int place = random.nextInt(64);
          if (isFree(place, size, 1, 1)) {
            builder.memory(name, place, MemorySegment.ofArray(device).asSlice(place, size));
            own(place, 1, size, 1, Access.READ_WRITE, narrowest, widest, partial);
          }
        }
        case 1 -> {
          int count = random.nextInt(1, 20);
          int stride = width * random.nextInt(1, 4);
          if (isFree(start, width, count, stride)) {
            boolean canRead = random.nextBoolean();
            boolean canWrite = !canRead || random.nextBoolean();
            if (canRead && canWrite) {
              builder.array(
                  name,
                  start,
                  width,
                  count,
                  stride,
                  i -> load(start + i * stride, width),
                  (i, value) -> store(start + i * stride, width, value));
            } else if (canRead) {
              builder.array(
                  name, start, width, count, stride, i -> load(start + i * stride, width));
            } else {
              builder.array(
                  name,
                  start,
                  width,
                  count,
                  stride,
                  (i, value) -> store(start + i * stride, width, value));
            }
            var access =
                canRead && canWrite
                    ? Access.READ_WRITE
                    : canRead ? Access.READ_ONLY : Access.WRITE_ONLY;
            own(start, width, count, stride, access, narrowest, widest, partial);
          }
        }
        case 2 -> {
          if (isFree(start, width, 1, width)) {
            var access = any(Access.values());
            long value = random.nextLong() >>> (Long.SIZE - Byte.SIZE * width);
            builder.register(
                name,
                start,
                width,
                access,
                value,
                written ->
                    store(
                        start,
                        width,
                        access == Access.WRITE_ONE_TO_CLEAR
                            ? load(start, width) & ~written
                            : written));
            store(start, width, value);
            own(start, width, 1, width, access, narrowest, widest, partial);
          }
        }
        default -> {
          if (isFree(start, width, 1, width)) {
            var access = any(Access.values());
            // Bits beyond the register's width must not matter.
            long junk = width == Long.BYTES ? 0 : random.nextLong() << (Byte.SIZE * width);
            switch (access) {
              case READ_ONLY ->
                  builder.readOnly(name, start, width, () -> load(start, width) | junk);
              case WRITE_ONLY ->
                  builder.writeOnly(name, start, width, value -> store(start, width, value));
              case READ_WRITE ->
                  builder.readWrite(
                      name,
                      start,
                      width,
                      () -> load(start, width) | junk,
                      value -> store(start, width, value));
              case WRITE_ONE_TO_CLEAR ->
                  builder.writeOneToClear(
                      name,
                      start,
                      width,
                      () -> load(start, width) | junk,
                      bits -> store(start, width, load(start, width) & ~bits));
            }
            own(start, width, 1, width, access, narrowest, widest, partial);
          }
        }
      }
    }

    private <T> T any(T[] values) {
      return values[random.nextInt(values.length)];
    }

    private long load(int at, int width) {
      long value = 0;
      for (int i = 0; i < width; i++) {
        value |= Byte.toUnsignedLong(device[at + i]) << (Byte.SIZE * i);
      }
      return value;
    }

    private void store(int at, int width, long value) {
      assertThat(width == Long.BYTES ? 0 : value >>> (Byte.SIZE * width)).as(what).isZero();
      for (int i = 0; i < width; i++) {
        device[at + i] = (byte) (value >>> (Byte.SIZE * i));
      }
    }

    private boolean isFree(int start, int width, int count, int stride) {
      if (start + (count - 1) * stride + width > SIZE) {
        return false;
      }
      for (int i = 0; i < count; i++) {
        for (int j = 0; j < width; j++) {
          if (owners[start + i * stride + j] != null) {
            return false;
          }
        }
      }
      return true;
    }

    private void own(
        int start,
        int width,
        int count,
        int stride,
        Access access,
        int narrowest,
        int widest,
        PartialWrite partial) {
      for (int i = 0; i < count; i++) {
        int at = start + i * stride;
        var owner = new Owner(at, width, access, narrowest, widest, partial);
        for (int j = 0; j < width; j++) {
          owners[at + j] = owner;
        }
      }
    }

    void run() {
      System.arraycopy(device, 0, bytes, 0, SIZE);
      for (int i = 0; i < ACCESSES; i++) {
        int width = 1 << random.nextInt(4);
        int at = random.nextInt(random.nextInt(4) == 0 ? SIZE : 128) & -width;
        if (random.nextBoolean()) {
          long expected = read(at, width);
          assertThat(map.read(at, width))
              .as("%s: %d bytes at %x", what, width, at)
              .isEqualTo(expected);
        } else {
          long value = random.nextLong() >>> (Long.SIZE - Byte.SIZE * width);
          boolean taken = write(at, width, value);
          assertThat(tryWrite(at, width, value))
              .as("%s: %d bytes to %x", what, width, at)
              .isEqualTo(taken);
        }
        assertThat(Arrays.mismatch(device, bytes)).as(what).isEqualTo(-1);
      }
    }

    private boolean tryWrite(int at, int width, long value) {
      try {
        map.write(at, width, value);
        return true;
      } catch (RefusedAccessException _) {
        return false;
      }
    }

    private long read(int at, int width) {
      long value = 0;
      for (int i = 0; i < width; i++) {
        var owner = owners[at + i];
        long one =
            owner != null && owner.reads(width)
                ? Byte.toUnsignedLong(bytes[at + i])
                : readsOnes ? 0xff : 0;
        value |= one << (Byte.SIZE * i);
      }
      return value;
    }

    private boolean write(int at, int width, long value) {
      for (int i = 0; i < width; i++) {
        var owner = owners[at + i];
        if (refuses && (owner == null || !owner.writes(width))) {
          return false;
        }
      }
      for (int i = 0; i < width; i++) {
        var owner = owners[at + i];
        if (owner == null || !owner.writes(width)) {
          continue;
        }
        boolean isPart = width < owner.width;
        if (isPart && owner.partial == PartialWrite.IGNORED) {
          continue;
        }
        byte one = (byte) (value >>> (Byte.SIZE * i));
        if (owner.access == Access.WRITE_ONE_TO_CLEAR) {
          bytes[at + i] &= (byte) ~one;
          continue;
        }
        bytes[at + i] = one;
        boolean keepsOthers =
            owner.partial == PartialWrite.MERGED && owner.access == Access.READ_WRITE;
        for (int j = 0; isPart && !keepsOthers && j < owner.width; j++) {
          int other = owner.start + j;
          if (other < at || other >= at + width) {
            bytes[other] = 0;
          }
        }
      }
      return true;
    }
  }
}
