// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.VfioException;
import io.jvfio.model.nvme.NvmeModel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class IdentifyTest {
  private final Arena arena = Arena.ofShared();
  private final MemorySegment page = arena.allocate(4096, 8);

  @AfterEach
  void close() {
    arena.close();
  }

  private void set8(long offset, int value) {
    page.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
  }

  @Test
  void decodesTheFormatsOfANamespace() {
    page.set(LE64, 0, 1000);
    page.set(LE64, 8, 900);
    page.set(LE64, 16, 800);
    set8(25, 2); // three formats
    set8(26, 0x11); // the second, with metadata inline
    page.set(LE32, 128, 0x0309_0000);
    page.set(LE32, 132, 0x010c_0008);

    var namespace = IdentifyNamespace.decode(page);

    assertThat(namespace.sizeBlocks()).isEqualTo(1000);
    assertThat(namespace.capacityBlocks()).isEqualTo(900);
    assertThat(namespace.utilisationBlocks()).isEqualTo(800);
    assertThat(namespace.formats())
        .isEqualTo(
            List.of(new LbaFormat(512, 0, 3), new LbaFormat(4096, 8, 1), new LbaFormat(0, 0, 0)));
    assertThat(namespace.format()).isEqualTo(new LbaFormat(4096, 8, 1));
    assertThat(namespace.metadataInline()).isTrue();
  }

  @Test
  void findsAFormatBeyondTheSixteenth() {
    set8(25, 17);
    set8(26, 0x21);
    page.set(LE32, 128 + 17 * 4, 0x000c_0000);

    assertThat(IdentifyNamespace.decode(page).formatIndex()).isEqualTo(17);
    assertThat(IdentifyNamespace.decode(page).format().dataBytes()).isEqualTo(4096);
  }

  @Test
  void survivesAFormatIndexThatIsNotInTheList() {
    set8(25, 0);
    set8(26, 5);

    assertThat(IdentifyNamespace.decode(page).format()).isEqualTo(new LbaFormat(0, 0, 0));
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "5, 131072", "7, 524288", "31, 8796093022208", "32, 0", "255, 0"})
  void takesTheTransferLimitAsAPowerOfTwoPages(int mdts, long bytes) {
    set8(77, mdts);

    assertThat(IdentifyController.decode(page, 0, 4096).mdtsBytes()).isEqualTo(bytes);
  }

  @Test
  void takesTheVersionFromItsRegisterWhereIdentifyHasNone() {
    assertThat(IdentifyController.decode(page, 0x0001_0100, 4096).version()).isEqualTo("1.1.0");
    page.set(LE32, 80, 0x0002_0001);
    assertThat(IdentifyController.decode(page, 0x0001_0100, 4096).version()).isEqualTo("2.0.1");
  }

  @Test
  void endsTextAtZeroAndDropsPadding() {
    page.asSlice(4).copyFrom(MemorySegment.ofArray("AB  ".getBytes(StandardCharsets.US_ASCII)));

    assertThat(IdentifyController.decode(page, 0, 4096).serial()).isEqualTo("AB");
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0x00090000, no active namespace", // a namespace of size 0
    "8, 0x00090008, 8 of metadata",
    "8, 0x00050000, 0 bytes of data" // blocks of 32 bytes
  })
  void doesNotOpenANamespaceThatItCannotTransfer(long blocks, String format, String message) {
    var model = new MeddledModel(NvmeModel.inMemory("SN", 4096));
    try (var device = new FakeDevice(model);
        var controller = NvmeController.open(device)) {
      model.namespacePage = page;
      page.set(LE64, 0, blocks);
      page.set(LE32, 128, Integer.decode(format));

      assertThatThrownBy(() -> controller.namespace(1))
          .isInstanceOf(VfioException.class)
          .hasMessageContaining(message);
      assertThat(device.isBusMaster()).as("the controller goes on").isTrue();
    }
  }

  @Test
  void boundsItsOptions() {
    var options = NvmeOptions.defaults();
    assertThat(options.commandTimeout()).isEqualTo(Duration.ofSeconds(30));
    assertThat(options.queueEntries()).isEqualTo(64);
    assertThat(options.withQueueEntries(2).withCommandTimeout(Duration.ofMillis(1)))
        .isEqualTo(
            NvmeOptions.defaults().withCommandTimeout(Duration.ofMillis(1)).withQueueEntries(2));
    assertThatIllegalArgumentException().isThrownBy(() -> options.withQueueEntries(1));
    assertThatIllegalArgumentException().isThrownBy(() -> options.withQueueEntries(1025));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> options.withCommandTimeout(Duration.ZERO));
  }
}
