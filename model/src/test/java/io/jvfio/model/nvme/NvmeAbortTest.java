// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE8;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.model.nvme.FaultKernel.Kind;
import io.jvfio.model.nvme.NvmeHost.Command;
import io.jvfio.model.nvme.NvmeHost.Completion;
import io.jvfio.model.nvme.StorageRequest.Operation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The Abort command for I/O commands that wait, each for another reason, and that do not. */
class NvmeAbortTest {
  private static final int FLUSH = 0;
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int COMPARE = 5;
  private static final int DATASET_MANAGEMENT = 9;
  private static final int VERIFY = 0x0c;
  private static final int COPY = 0x19;
  private static final int SIZE = 1 << 20;
  private static final long SQ = 0x4_0000;
  private static final long CQ = 0x5_0000;
  private static final int ENTRIES = 64;
  private static final long OTHER = 0x20_0000;
  private static final int ABORTED = 0x007;

  @TempDir Path directory;

  private static boolean abort(NvmeHost host, int commandId) {
    var completion = host.admin.run(Command.admin(0x08, (commandId << 16) | 1, 0));
    assertThat(completion.status()).isZero();
    return completion.result() == 0;
  }

  private static NvmeHost on(HeldStorage disk) {
    return started(NvmeModelOptions.of("S", NvmeNamespaceOptions.in(disk)), true);
  }

  private static NvmeHost started(NvmeModelOptions options, boolean lends) {
    var host = new NvmeHost(options, lends).enable();
    host.io = host.createQueues(1, SQ, CQ, ENTRIES);
    return host;
  }

  private NvmeHost onFile(FaultKernel kernel, boolean byRing, boolean lends) throws IOException {
    var file = Files.write(directory.resolve("disk"), new byte[SIZE]);
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE)).withKernel(kernel);
    return started(byRing ? options : options.withoutRing(), lends);
  }

  private static int put(NvmeHost host, Command command) {
    int id = host.io.put(command);
    host.io.ring();
    return id;
  }

  private static Completion only(List<Completion> completions) {
    assertThat(completions).hasSize(1);
    return completions.getFirst();
  }

  @ParameterizedTest
  @ValueSource(ints = {FLUSH, WRITE, READ, COMPARE, 8, DATASET_MANAGEMENT, VERIFY, COPY})
  void endsACommandThatItsDiskHasNotBegun(int opcode) {
    var disk = new HeldStorage(SIZE);
    try (var host = on(disk)) {
      disk.holds = true;
      disk.isCancelling = true;
      host.memory.asSlice(DATA, 4096).fill((byte) 0);
      host.memory.set(LE8, DATA + 4, (byte) 1); // one block, of Dataset Management
      int id =
          put(host, new Command(opcode, 1, DATA, 0, 0, opcode == DATASET_MANAGEMENT ? 4 : 0, 0));
      int other = put(host, NvmeHost.blocks(READ, 100, 1).at(OTHER));
      assertThat(disk.heldCount()).isEqualTo(2);

      assertThat(abort(host, id)).isTrue();

      var aborted = only(host.io.takeAll());
      assertThat(aborted.commandId()).isEqualTo(id);
      assertThat(aborted.status()).as("and it may be sent again").isEqualTo(ABORTED);
      assertThat(disk.heldCount()).isEqualTo(1);
      disk.release();
      host.model.poll();
      assertThat(only(host.io.takeAll()).commandId()).isEqualTo(other);
      assertThat(abort(host, id)).isFalse();
    }
  }

  @Test
  void leavesACommandAloneThatItsDiskIsAt() {
    var disk = new HeldStorage(SIZE);
    try (var host = on(disk)) {
      disk.holds = true;
      int id = put(host, NvmeHost.blocks(WRITE, 0, 1));

      assertThat(abort(host, id)).isFalse();
      assertThat(host.io.takeAll()).isEmpty();

      disk.release();
      host.model.poll();
      var done = only(host.io.takeAll());
      assertThat(done.commandId()).isEqualTo(id);
      assertThat(done.status()).isZero();
    }
  }

  @Test
  void abortsTheCommandOfTheQueueThatItNames() {
    var disk = new HeldStorage(SIZE);
    try (var host = on(disk)) {
      var second = host.createQueues(2, 0x6_0000, 0x7_0000, ENTRIES);
      disk.holds = true;
      disk.isCancelling = true;
      second.put(NvmeHost.blocks(READ, 0, 1));
      second.ring();
      int id = put(host, NvmeHost.blocks(READ, 0, 1));
      assertThat(host.admin.run(Command.admin(0x08, (id << 16) | 3, 0)).result()).isEqualTo(1);

      assertThat(abort(host, id)).isTrue();
      assertThat(host.io.takeAll()).hasSize(1);
      assertThat(second.takeAll()).isEmpty();
    }
  }

  /** Of two at one block the later one waits for the earlier one. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void endsACommandThatWaitsForAnotherAtItsBlocks(boolean byRing) throws IOException {
    var kernel = new FaultKernel();
    try (var host = onFile(kernel, byRing, true)) {
      kernel.rule(call -> call.kind() == Kind.WRITE ? FaultKernel.HELD : null);
      int first = put(host, NvmeHost.blocks(WRITE, 0, 8));
      kernel.awaitHeld(1, host);
      kernel.record();
      host.memory.asSlice(OTHER, 4096).fill((byte) 0x77);
      int waiting = put(host, NvmeHost.blocks(WRITE, 4, 8).at(OTHER));
      int behind = put(host, NvmeHost.blocks(READ, 8, 1).at(OTHER + 4096));
      int last = put(host, NvmeHost.blocks(READ, 0, 1).at(OTHER + 8192));
      assertThat(kernel.calls()).isEmpty();

      assertThat(abort(host, waiting)).isTrue();

      var done = host.io.await(2);
      assertThat(done).extracting(Completion::commandId).containsExactly(waiting, behind);
      assertThat(done).extracting(Completion::status).containsExactly(ABORTED, 0);
      assertThat(kernel.calls()).extracting(FaultKernel.Call::kind).containsExactly(Kind.READ);
      assertThat(abort(host, first)).as("the kernel is at it").isFalse();

      kernel.rule(null);
      kernel.releaseAll();
      assertThat(host.io.await(2))
          .extracting(Completion::commandId)
          .containsExactlyInAnyOrder(first, last);
      byte[] bytes = Files.readAllBytes(directory.resolve("disk"));
      assertThat(bytes).doesNotContain(0x77);
      assertThat(host.leases).hasValue(0);
    }
  }

  /** The controller has memory for 16 of them. */
  @ParameterizedTest
  @ValueSource(ints = {COMPARE, VERIFY, COPY})
  void endsACommandThatWaitsForMemoryOfTheController(int opcode) {
    var disk = new HeldStorage(SIZE);
    try (var host = on(disk)) {
      disk.holds = true;
      host.memory.asSlice(DATA, 4096).fill((byte) 0);
      var ids = new ArrayList<Integer>();
      for (int i = 0; i < 20; i++) {
        ids.add(host.io.put(new Command(opcode, 1, DATA, 0, 0, 0, 0)));
      }
      host.io.ring();
      assertThat(disk.heldCount()).isEqualTo(16);

      assertThat(abort(host, ids.get(17))).isTrue();
      assertThat(only(host.io.takeAll()).status()).isEqualTo(ABORTED);
      assertThat(abort(host, ids.get(3))).isFalse();
      disk.takeOperations();

      disk.releaseAll();
      while (host.model.poll()) {
        // All of them.
      }
      assertThat(host.io.takeAll()).hasSize(19).allMatch(each -> each.status() == 0);
      assertThat(disk.takeOperations().stream().filter(Operation.READ::equals)).hasSize(3);
    }
  }

  /** A file has memory for 32 of those that it has to copy. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void endsACommandThatWaitsForMemoryOfItsDisk(boolean byRing) throws IOException {
    var kernel = new FaultKernel();
    try (var host = onFile(kernel, byRing, false)) {
      kernel.rule(_ -> FaultKernel.HELD);
      kernel.record();
      var ids = new ArrayList<Integer>();
      for (int i = 0; i < 40; i++) {
        ids.add(host.io.put(NvmeHost.blocks(READ, i, 1)));
      }
      host.io.ring();
      kernel.awaitHeld(byRing ? 32 : 8, host);

      assertThat(abort(host, ids.get(36))).isTrue();
      assertThat(only(host.io.takeAll()).commandId()).isEqualTo(ids.get(36));
      assertThat(abort(host, ids.get(0))).isFalse();

      kernel.rule(null);
      kernel.releaseAll();
      assertThat(host.io.await(39)).hasSize(39).allMatch(each -> each.status() == 0);
      assertThat(kernel.calls()).hasSize(39).noneMatch(call -> call.offset() == 36 * 512);
    }
  }
}
