// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.edu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.jvfio.linux.uapi.LittleEndian;
import io.jvfio.model.Bar;
import io.jvfio.model.ModelHost;
import io.jvfio.model.ResetReason;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EduModelTest {
  private static final long ONES = 0xffff_ffffL;

  private final EduModel edu = new EduModel();
  private final ModelHost host = new ModelHost(edu);

  private long read(long offset) {
    return edu.read(0, offset, 4);
  }

  private void write(long offset, long value) {
    edu.write(0, offset, 4, value);
  }

  @Test
  void looksLikeTheDeviceOfQemu() {
    assertThat(edu.config().read(0, 4)).isEqualTo(0x11e8_1234);
    assertThat(edu.config().read(8, 4)).isEqualTo(0x00ff_0010);
    assertThat(edu.bars()).containsExactly(Bar.memory(0, 1 << 20));
    assertThat(edu.msixVectors()).isZero();
    assertThat(edu.config().read(0x3d, 1)).as("INTA").isEqualTo(1);
    assertThat(edu.config().read(0x34, 1)).isEqualTo(0x40);
    assertThat(edu.config().read(0x40, 1)).as("MSI").isEqualTo(5);
    assertThat(read(0)).isEqualTo(0x010000ed);
  }

  @Test
  void invertsWhatIsWrittenToTellThatItLives() {
    assertThat(read(4)).isZero();
    write(4, 0x1234_5678);
    assertThat(read(4)).isEqualTo(0xedcb_a987L);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 5, 12, 13, 20, 33, 34, 35, 1000, ONES})
  void computesFactorialsOf32Bits(long n) {
    write(8, n);
    assertThat(read(0x20)).as("computing").isEqualTo(1);
    write(8, 3);
    host.poll();
    assertThat(read(0x20)).isZero();
    assertThat(read(8)).isEqualTo(factorial(Math.min(n, 100)).longValue() & ONES);
    assertThat(host.journal).as("nobody asked to be interrupted").isEmpty();
  }

  private static BigInteger factorial(long of) {
    var product = BigInteger.ONE;
    for (long i = 2; i <= of; i++) {
      product = product.multiply(BigInteger.valueOf(i));
    }
    return product;
  }

  @Test
  void interruptsAfterAFactorialWhenAsked() {
    write(0x20, 0xff);
    assertThat(read(0x20)).isEqualTo(0x80);
    write(8, 10);
    assertThat(host.takeJournal()).isEmpty();
    host.poll();
    assertThat(host.takeJournal()).containsExactly("message 0", "line up");
    assertThat(read(0x24)).isEqualTo(1);
    write(0x64, 1);
    assertThat(host.takeJournal()).containsExactly("line down");
    assertThat(read(0x24)).isZero();
  }

  @Test
  void interruptsWhenItIsToldToUntilAllIsAcknowledged() {
    write(0x60, 0x12);
    write(0x60, 0x04);
    assertThat(host.takeJournal()).containsExactly("message 0", "line up", "message 0");
    assertThat(edu.config().read(6, 2) & 8).as("in the status register").isEqualTo(8);
    assertThat(read(0x24)).isEqualTo(0x16);
    write(0x64, 0x06);
    assertThat(host.takeJournal()).isEmpty();
    write(0x64, 0x10);
    assertThat(host.takeJournal()).containsExactly("line down");
    assertThat(edu.config().read(6, 2) & 8).isZero();
  }

  @Test
  void readsAsOnesWhereThereIsNothingOrTheWidthIsWrong() {
    assertThat(read(0x60)).as("write-only").isEqualTo(ONES);
    assertThat(read(0x100)).isEqualTo(ONES);
    assertThat(edu.read(0, 0x40000, 8)).isEqualTo(-1);
    assertThat(edu.read(0, 0, 8)).isEqualTo(-1);
    assertThat(edu.read(0, 4, 2)).isEqualTo(0xffff);
    edu.write(0, 4, 1, 0x12);
    edu.write(0, 0, 8, 0x12L << 32);
    assertThat(read(4)).isZero();
    write(0, 1);
    assertThat(read(0)).isEqualTo(0x010000ed);
  }

  private void copy(long source, long target, long count, long command) {
    edu.write(0, 0x80, 8, source);
    edu.write(0, 0x88, 8, target);
    edu.write(0, 0x90, 8, count);
    edu.write(0, 0x98, 8, command);
  }

  @Test
  void copiesToItsBufferAndBack() {
    byte[] text = "through the device".getBytes(StandardCharsets.US_ASCII);
    for (int i = 0; i < text.length; i++) {
      host.memory.set(LittleEndian.LE8, 0x1000 + i, text[i]);
    }

    copy(0x1000, 0x40100, text.length, 1);
    assertThat(edu.read(0, 0x98, 8)).as("copying").isEqualTo(1);
    host.poll();
    assertThat(edu.read(0, 0x98, 8)).isZero();
    copy(0x40100, 0x2000, text.length, 7);
    assertThat(host.takeJournal()).isEmpty();
    host.poll();

    assertThat(host.memory.asSlice(0x2000, text.length).toArray(LittleEndian.LE8)).isEqualTo(text);
    assertThat(host.takeJournal()).containsExactly("message 0", "line up");
    assertThat(read(0x24)).isEqualTo(0x100);
  }

  @Test
  void hasAddressesOfSoManyBits() {
    copy(0x40000, 0x5_0000_1000L, 4, 3);
    host.memory.set(LittleEndian.LE8, 0x1000, (byte) 1);
    host.poll();
    assertThat(host.memory.get(LittleEndian.LE8, 0x1000)).as("28 bits are 0x1000").isZero();

    var wide = new ModelHost(new EduModel(64));
    wide.memory.fill((byte) 1);
    wide.model.write(0, 0x80, 8, 0x40000);
    wide.model.write(0, 0x88, 8, 0x5_0000_1000L);
    wide.model.write(0, 0x90, 8, 4);
    wide.model.write(0, 0x98, 8, 3);
    wide.poll();
    assertThat(wide.memory.get(LittleEndian.LE8, 0x1000)).isEqualTo((byte) 1);
    assertThatIllegalArgumentException().isThrownBy(() -> new EduModel(0));
    assertThatIllegalArgumentException().isThrownBy(() -> new EduModel(65));
  }

  @ParameterizedTest
  @CsvSource({
    "0x3ffff, 1",
    "0x40000, 0x1001",
    "0x40fff, 2",
    "0x41000, 1",
    "0, 4",
    "0x40000, -1",
    "-8, 4"
  })
  void endsACopyThatLeavesItsBufferWithoutMovingAnything(long source, long count) {
    host.memory.fill((byte) 7);
    copy(source, 0x1000, count, 7);
    host.poll();
    assertThat(read(0x98)).isEqualTo(6);
    assertThat(read(0x24)).isEqualTo(0x100);
    assertThat(host.memory.get(LittleEndian.LE8, 0x1000)).isEqualTo((byte) 7);
  }

  @Test
  void endsACopyWhoseMemoryIsOutOfReach() {
    copy(0x100_0000, 0x40000, 16, 5);
    host.poll();
    assertThat(read(0x98)).isEqualTo(4);
    assertThat(read(0x24)).isEqualTo(0x100);
  }

  @Test
  void isAsAfterPowerOnWhenItWasReset() {
    write(0x20, 0x80);
    write(4, 5);
    write(8, 5);
    write(0x60, 3);
    copy(0x1000, 0x40000, 4096, 5);
    host.takeJournal();

    edu.reset(ResetReason.DEVICE_RESET);
    assertThat(host.takeJournal()).containsExactly("line down");
    host.poll();
    assertThat(host.journal).as("nothing is left to be done").isEmpty();
    for (long offset : new long[] {4, 8, 0x20, 0x24, 0x80, 0x88, 0x90, 0x98}) {
      assertThat(read(offset)).as("%x", offset).isZero();
    }
  }
}
