// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model;

import static io.jvfio.model.RegisterMap.Access.READ_ONLY;
import static io.jvfio.model.RegisterMap.Access.READ_WRITE;
import static io.jvfio.model.RegisterMap.Access.WRITE_ONE_TO_CLEAR;
import static io.jvfio.model.RegisterMap.Access.WRITE_ONLY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.sun.management.ThreadMXBean;
import io.jvfio.linux.uapi.LittleEndian;
import io.jvfio.model.RegisterMap.PartialWrite;
import io.jvfio.model.RegisterMap.Register;
import io.jvfio.model.RegisterMap.Unmapped;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RegisterMapTest {
  private final List<String> journal = new ArrayList<>();
  private long held;

  private static RegisterMap.Builder map() {
    return RegisterMap.builder("card", 0x100);
  }

  private RegisterMap.Builder journaled(
      RegisterMap.Builder map, String name, long offset, int width) {
    return map.readWrite(
        name,
        offset,
        width,
        () -> {
          journal.add("read " + name);
          return held;
        },
        value -> journal.add("%s = %x".formatted(name, value)));
  }

  @Test
  void handsAnAccessOfARegistersWidthToItsHandlers() {
    held = 0xffff_ffff_1234_5678L;
    var map = journaled(map(), "control", 0x10, 4).build();

    assertThat(map.read(0x10, 4)).isEqualTo(0x1234_5678);
    map.write(0x10, 4, 0xffff_ffff_8765_4321L);
    assertThat(journal).containsExactly("read control", "control = 87654321");
  }

  @Test
  void splitsAWideAccessIntoRegistersInAscendingOrder() {
    held = 0xa1;
    var map = map();
    journaled(map, "low", 0, 2);
    journaled(map, "high", 2, 2);
    journaled(map, "top", 7, 1);
    var built = map.build();

    assertThat(built.read(0, 8)).isEqualTo(0xa100_0000_00a1_00a1L);
    built.write(0, 8, 0x1122_3344_5566_7788L);
    assertThat(journal)
        .containsExactly(
            "read low", "read high", "read top", "low = 7788", "high = 5566", "top = 11");
  }

  @Test
  void readsAPartOfARegisterWithOneCall() {
    held = 0x1122_3344_5566_7788L;
    var map = journaled(map(), "wide", 8, 8).build();

    assertThat(map.read(8, 1)).isEqualTo(0x88);
    assertThat(map.read(10, 2)).isEqualTo(0x5566);
    assertThat(map.read(12, 4)).isEqualTo(0x1122_3344);
    assertThat(journal).hasSize(3);
  }

  @ParameterizedTest
  @EnumSource
  void writesAPartOfARegisterAsDeclared(PartialWrite rule) {
    held = 0x1122_3344;
    var map = journaled(map().partialWrites(rule), "control", 4, 4).build();

    map.write(6, 1, 0xee);
    switch (rule) {
      case MERGED -> assertThat(journal).containsExactly("read control", "control = 11ee3344");
      case ZERO_EXTENDED -> assertThat(journal).containsExactly("control = ee0000");
      case IGNORED -> assertThat(journal).isEmpty();
    }
  }

  @Test
  void mergesNothingIntoWhatCannotBeReadOrIsClearedByOnes() {
    var map =
        map()
            .writeOnly("doorbell", 0, 4, value -> journal.add("%x".formatted(value)))
            .writeOneToClear("status", 4, 4, () -> -1, bits -> journal.add("%x".formatted(bits)))
            .build();

    map.write(1, 1, 0x12);
    map.write(6, 2, 0x3456);
    assertThat(journal).containsExactly("1200", "34560000");
  }

  @Test
  void keepsRegistersOfItsOwn() {
    var map =
        map()
            .register("mode", 0, 2, READ_WRITE, 0x1234)
            .register("version", 2, 2, READ_ONLY, 0x0104)
            .register("status", 4, 4, WRITE_ONE_TO_CLEAR, 0)
            .register("secret", 8, 4, WRITE_ONLY, 7)
            .build();

    map.write(0, 4, 0xffff_5678L);
    assertThat(map.read(0, 4)).isEqualTo(0x0104_5678);
    map.value(4, 0xf_ffff_00ffL);
    map.write(4, 4, 0xffff_000fL);
    assertThat(map.read(4, 4)).isEqualTo(0xf0);
    assertThat(map.read(8, 4)).isZero();
    assertThat(map.value(8)).isEqualTo(7);
    map.write(8, 4, 9);
    assertThat(map.value(8)).isEqualTo(9);

    map.reset();
    assertThat(map.read(0, 8)).isEqualTo(0x0104_1234L);
    assertThat(map.value(8)).isEqualTo(7);
  }

  @Test
  void tellsTheDeviceOfWritesToWhatTheMapKeeps() {
    var map =
        map()
            .register("mode", 0, 4, READ_WRITE, 0, value -> journal.add("mode %x".formatted(value)))
            .register(
                "status",
                4,
                4,
                WRITE_ONE_TO_CLEAR,
                3,
                value -> journal.add("cleared %x".formatted(value)))
            .build();

    map.write(0, 4, 5);
    map.write(4, 4, 1);
    assertThat(journal).containsExactly("mode 5", "cleared 1");
    assertThat(map.value(4)).isEqualTo(2);
  }

  @Test
  void hasArraysOfRegistersWithRoomBetween() {
    var values = new long[4];
    var map =
        map()
            .array("tail", 0x20, 4, 4, 8, i -> values[i], (i, value) -> values[i] = value)
            .array("head", 0x24, 2, 4, 8, i -> 0x100 + i)
            .array("bell", 0x26, 1, 4, 8, (i, value) -> journal.add(i + " rings " + value))
            .build();

    map.write(0x30, 4, 77);
    assertThat(values).containsExactly(0, 0, 77, 0);
    assertThat(map.read(0x30, 8)).isEqualTo(0x0102_0000_004dL);
    map.write(0x3e, 1, 5);
    map.write(0x3f, 1, 5);
    assertThat(journal).containsExactly("3 rings 5");
    assertThat(map.read(0x40, 8)).isZero();
  }

  @Test
  void hasMemoryForAccessesOfAnyWidth() {
    var bytes = MemorySegment.ofArray(new byte[13]);
    var map = map().unmapped(Unmapped.ONES).memory("buffer", 0x83, bytes).build();

    map.write(0x80, 8, 0x1122_3344_5566_7788L);
    map.write(0x88, 8, 0x0102_0304_0506_0708L);
    assertThat(map.read(0x80, 8)).isEqualTo(0x1122_3344_55ff_ffffL);
    assertThat(map.read(0x88, 4)).isEqualTo(0x0506_0708);
    assertThat(map.read(0x8e, 2)).isEqualTo(0x0102);
    assertThat(bytes.get(LittleEndian.LE8, 0)).isEqualTo((byte) 0x55);
    map.reset();
    assertThat(map.read(0x88, 1)).as("the device's memory is the device's").isEqualTo(8);
  }

  @Test
  void zeroesItsOwnMemoryAtAReset() {
    var map = map().memory("scratch", 0, 16).build();

    map.write(8, 8, -1);
    assertThat(map.read(8, 8)).isEqualTo(-1);
    map.reset();
    assertThat(map.read(8, 8)).isZero();
  }

  @Test
  void doesNotWriteReadOnlyMemory() {
    var rom = MemorySegment.ofArray(new byte[] {1, 2, 3, 4}).asReadOnly();
    var map = map().memory("ROM", 4, rom).build();

    map.write(4, 4, -1);
    map.write(0, 8, -1);
    assertThat(map.read(4, 4)).isEqualTo(0x0403_0201);
  }

  @ParameterizedTest
  @EnumSource
  void readsWhatIsNotThereAsDeclared(Unmapped unmapped) {
    var map =
        map()
            .unmapped(unmapped)
            .writeOnly("doorbell", 0, 4, _ -> {})
            .accessWidths(4, 4)
            .register("strict", 8, 4, READ_WRITE, 0)
            .build();
    long ones = unmapped == Unmapped.ONES ? -1 : 0;

    assertThat(map.read(0, 4)).isEqualTo(ones & 0xffff_ffffL);
    assertThat(map.read(0xf8, 8)).isEqualTo(ones);
    assertThat(map.read(9, 1)).isEqualTo(ones & 0xff);
    assertThat(map.read(8, 8)).isEqualTo(ones);
    assertThat(map.read(8, 4)).isZero();
  }

  @Test
  void ignoresWritesOfWidthsThatDoNotReachARegister() {
    var map = map().accessWidths(2, 4).register("strict", 8, 4, READ_WRITE, 0).build();

    map.write(8, 8, -1);
    map.write(8, 1, 1);
    assertThat(map.value(8)).isZero();
    map.write(8, 2, 1);
    assertThat(map.value(8)).isEqualTo(1);
  }

  @Test
  void refusesWritesToNothingWhenDeclaredSo() {
    var map =
        map()
            .refuseUnmappedWrites()
            .register("mode", 0, 4, READ_WRITE, 0)
            .register("version", 4, 4, READ_ONLY, 1)
            .build();

    map.write(0, 4, 5);
    assertThatExceptionOfType(RefusedAccessException.class)
        .isThrownBy(() -> map.write(4, 4, 5))
        .withMessage(
            "card: a write of 4 bytes at 0x4, where 'version' (0x4 to 0x7) cannot be written so");
    assertThatExceptionOfType(RefusedAccessException.class)
        .isThrownBy(() -> map.write(8, 1, 5))
        .withMessage("card: a write of 1 bytes at 0x8, where there is no register");
    assertThatExceptionOfType(RefusedAccessException.class).isThrownBy(() -> map.write(0, 8, 6));
    assertThat(map.value(0)).as("all of the access is refused").isEqualTo(5);
  }

  @Test
  void refusesDeclarationsThatOverlap() {
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                map()
                    .register("mode", 4, 4, READ_WRITE, 0)
                    .register("version", 6, 1, READ_ONLY, 0)
                    .build())
        .withMessage("card: 'version' (0x6 to 0x6) overlaps 'mode' (0x4 to 0x7)");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () -> map().memory("buffer", 0x10, 0x20).array("tail", 0, 4, 8, 8, _ -> 0).build())
        .withMessage("card: 'buffer' (0x10 to 0x2f) overlaps 'tail' (0x0 to 0x3b)");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                RegisterMap.builder("large", 1 << 20)
                    .memory("buffer", 0, 1 << 19)
                    .memory("window", 0x4_0000, 1 << 19)
                    .build())
        .withMessageContaining("'window'")
        .withMessageContaining("'buffer'");
  }

  @Test
  void refusesWhatIsNoDeclaration() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> map().register("mode", 0xfe, 4, READ_WRITE, 0))
        .withMessage("card: 'mode' has 4 bytes at 0xfe, of 0x100 that there are");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> map().register("mode", 1L << 32, 4, READ_WRITE, 0));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> map().register("mode", 2, 4, READ_WRITE, 0))
        .withMessage("card: 'mode' at 0x2 is not aligned to its 4 bytes");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> map().register("mode", 0, 3, READ_WRITE, 0))
        .withMessage("card: 'mode' of 3 bytes; there are 1, 2, 4 and 8");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> map().register("mode", 0, 1, READ_WRITE, 0x100))
        .withMessage("card: reset value 0x100 of 'mode' does not fit into 1 bytes");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> map().readOnly("mode", 0, 1, () -> 0).readOnly("mode", 1, 1, () -> 0))
        .withMessage("card: there are two declarations of the name 'mode'");
    assertThatIllegalArgumentException().isThrownBy(() -> map().array("tail", 0, 4, 2, 6, _ -> 0));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> map().array("tail", 0, 4, 1 << 30, 1 << 30, _ -> 0));
    assertThatIllegalArgumentException().isThrownBy(() -> map().memory("none", 0, 0));
    assertThatIllegalArgumentException().isThrownBy(() -> map().accessWidths(8, 4));
    assertThatIllegalArgumentException().isThrownBy(() -> RegisterMap.builder("odd", 24));
  }

  @Test
  void refusesAccessesThatNoHostMakes() {
    var map = map().register("mode", 0, 4, READ_WRITE, 0).build();

    assertThatIllegalArgumentException().isThrownBy(() -> map.read(2, 4));
    assertThatIllegalArgumentException().isThrownBy(() -> map.read(0, 3));
    assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> map.read(0x100, 1));
    assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> map.read(-4, 4));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> map.value(2))
        .withMessage("card keeps no register at 0x2");
  }

  @Test
  void describesWhatIsDeclaredInOrder() {
    var map =
        map()
            .memory("buffer", 0x80, 16)
            .array("tail", 0x10, 4, 2, 8, (_, _) -> {})
            .register("mode", 0, 2, READ_WRITE, 3)
            .build();

    assertThat(map.describe())
        .containsExactly(
            new Register("mode", 0, 2, 1, 2, READ_WRITE, OptionalLong.of(3)),
            new Register("tail", 0x10, 4, 2, 8, WRITE_ONLY, OptionalLong.empty()),
            new Register("buffer", 0x80, 1, 16, 1, READ_WRITE, OptionalLong.empty()));
  }

  @Test
  void allocatesNothingForAnAccess() {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    var map =
        RegisterMap.builder("card", 1 << 20)
            .readWrite("control", 0, 4, () -> held, value -> held = value)
            .register("mode", 4, 4, READ_WRITE, 0)
            .array("tail", 0x1000, 4, 64, 8, i -> held + i, (i, value) -> held = value + i)
            .memory("buffer", 0x4_0000, 4096)
            .build();
    for (int i = 0; i < 20; i++) {
      access(map);
    }

    // The compiler may still change its mind, and what it interprets meanwhile allocates.
    long least = Long.MAX_VALUE;
    for (int batch = 0; batch < 100 && least > 0; batch++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      access(map);
      least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
    }
    assertThat(least).isZero();
  }

  private static void access(RegisterMap map) {
    long sum = 0;
    for (int i = 0; i < 2000; i++) {
      map.write(0, 8, sum + i);
      map.write(0x1000 + 8 * (i & 63), 4, i);
      map.write(0x4_0000 + 8 * (i & 511), 8, sum);
      map.write(0xff000, 4, i);
      sum += map.read(0, 2) + map.read(4, 4) + map.read(0x1000 + 8 * (i & 63), 8 >> (i & 1));
      sum += map.read(0x4_0000 + 8 * (i & 511), 8) + map.read(0x8000, 8);
    }
    map.value(4, sum);
  }
}
