// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.Errno;
import io.jvfio.model.nvme.FaultKernel.Call;
import io.jvfio.model.nvme.FaultKernel.Kind;
import io.jvfio.model.nvme.NvmeHost.Command;
import io.jvfio.model.nvme.NvmeHost.Completion;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is said of flushes that did not make persistent what they should have. */
class NvmeLastFlushTest {
  private static final int SIZE = 1 << 20;
  private static final int WRITE = 1;
  private static final int FORCE_UNIT_ACCESS = 1 << 30;
  private static final int WRITE_FAULT = 0x4280;
  private static final Command FLUSH = new Command(0, 1, 0, 0, 0, 0, 0);
  private static final long SQ = 0x4_0000;
  private static final long CQ = 0x5_0000;

  @TempDir Path directory;

  private final FaultKernel kernel = new FaultKernel();

  private NvmeModelOptions options(String name, String... more) throws IOException {
    var options = NvmeModelOptions.of("S", namespace(name));
    for (var each : more) {
      options = options.withNamespace(namespace(each));
    }
    return options.withKernel(kernel);
  }

  private NvmeNamespaceOptions namespace(String name) throws IOException {
    return NvmeNamespaceOptions.inFile(Files.write(directory.resolve(name), new byte[SIZE]), SIZE);
  }

  private void failFlushes() {
    kernel.rule(call -> call.kind() == Kind.SYNC ? FaultKernel.errno(Errno.EIO) : null);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void theEndTellsOfItAndGivesEverythingBack(boolean byRing) throws IOException {
    try (var _ = new LogLines()) {
      var options = options("disk", "other");
      var host = new NvmeHost(byRing ? options : options.withoutRing()).enableIo();
      failFlushes();
      kernel.record();

      assertThatThrownBy(host::close)
          .isInstanceOf(UncheckedIOException.class)
          .hasMessageContainingAll(
              directory.resolve("disk").toString(), "fdatasync", "EIO", "may be lost", "Check");

      assertThat(kernel.calls()).hasSize(2);
      host.model.close();
      assertThat(kernel.calls()).as("closed once").hasSize(2);
      kernel.rule(null);
      new NvmeHost(options).enableIo().close(); // the locks are gone
    }
  }

  @Test
  void theLastOneIsTriedAfterOneThatFailed() throws IOException {
    try (var _ = new LogLines();
        var host = new NvmeHost(options("disk")).enableIo()) {
      failFlushes();
      assertThat(host.io.run(FLUSH).status()).isEqualTo(WRITE_FAULT);
      kernel.rule(null);
      kernel.record();

      host.model.close();

      assertThat(kernel.calls()).extracting(Call::kind).isEqualTo(List.of(Kind.SYNC));
    }
  }

  /** The write that it is served with is there; what was acknowledged before is not. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aFlushThatComesBehindADurableWriteFailsOnAFileMadeShorter(boolean byRing)
      throws IOException {
    var options = options("disk");
    try (var _ = new LogLines();
        var host = new NvmeHost(byRing ? options : options.withoutRing(), true).enable()) {
      host.io = host.createQueues(1, SQ, CQ, 16);
      kernel.rule(call -> call.kind() == Kind.SYNC ? FaultKernel.HELD : null);
      for (int lba = 0; lba < 2; lba++) {
        var write = NvmeHost.blocks(WRITE, lba, 1);
        host.io.put(
            new Command(WRITE, 1, write.prp1(), 0, lba, 0, write.cdw12() | FORCE_UNIT_ACCESS));
        host.io.ring();
        kernel.awaitHeld(1, host);
      }
      for (int i = 0; i < 5; i++) {
        host.awaitRequest(); // both are written
      }
      int flush = host.io.put(FLUSH);
      host.io.ring();
      kernel.claimSize(SIZE / 2);
      kernel.release(new FaultKernel.Answer.Result(0));
      kernel.rule(null);

      var done = host.io.await(3);
      assertThat(done).hasSize(3);
      assertThat(done.getFirst().status()).as("persistent before").isZero();
      assertThat(done)
          .filteredOn(each -> each.status() == WRITE_FAULT)
          .extracting(Completion::commandId)
          .contains(flush);
      kernel.claimSize(-1);
    }
  }

  /** One call stands for all that came while another was under way: it leaves out none of them. */
  @Test
  void whatIsMadePersistentTogetherIsAllOfIt() throws IOException {
    try (var host = new NvmeHost(options("disk"), true).enable()) {
      host.io = host.createQueues(1, SQ, CQ, 16);
      kernel.rule(call -> call.kind() == Kind.SYNC ? FaultKernel.HELD : null);
      kernel.record();
      for (int lba : new int[] {0, 100, 200}) {
        var write = NvmeHost.blocks(WRITE, lba, 1);
        host.io.put(
            new Command(WRITE, 1, write.prp1(), 0, lba, 0, write.cdw12() | FORCE_UNIT_ACCESS));
        host.io.ring();
        kernel.awaitHeld(1, host);
      }
      for (int i = 0; i < 5; i++) {
        host.awaitRequest(); // all are written
      }
      kernel.release(new FaultKernel.Answer.Result(0));
      kernel.awaitHeld(1, host);

      assertThat(kernel.calls())
          .filteredOn(call -> call.kind() == Kind.SYNC)
          .extracting(call -> List.of(call.offset(), call.byteSize()))
          .as("a block, and everything")
          .containsExactly(List.of(0L, 512L), List.of(0L, 0L));
      kernel.rule(null);
      kernel.releaseAll();
      assertThat(host.io.await(3)).hasSize(3).allMatch(each -> each.status() == 0);
    }
  }
}
