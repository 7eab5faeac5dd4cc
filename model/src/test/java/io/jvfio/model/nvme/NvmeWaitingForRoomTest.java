// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static io.jvfio.linux.uapi.LittleEndian.LE32;
import static io.jvfio.linux.uapi.LittleEndian.LE64;
import static io.jvfio.model.nvme.NvmeHost.DATA;
import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.model.nvme.FaultKernel.Answer;
import io.jvfio.model.nvme.FaultKernel.Call;
import io.jvfio.model.nvme.FaultKernel.Kind;
import io.jvfio.model.nvme.NvmeHost.Command;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A full file system whose operator wants commands to wait until there is room. */
class NvmeWaitingForRoomTest {
  private static final int FLUSH = 0;
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int WRITE_ZEROES = 8;
  private static final int DATASET_MANAGEMENT = 9;
  private static final int SIZE = 1 << 20;
  private static final int BLOCK = 512;
  private static final long SQ = 0x4_0000;
  private static final long CQ = 0x5_0000;
  private static final long OTHER = 0x20_0000;
  private static final long QUARTER = 250_000_000;

  /** The blocks that there is no room for. */
  private static final int FIRST = 64;

  private static final int BLOCKS = 8;

  @TempDir Path directory;

  static Stream<Arguments> ways() {
    return Stream.of(false, true)
        .flatMap(ring -> Stream.of(false, true).map(lends -> Arguments.of(ring, lends)));
  }

  private final class Case implements AutoCloseable {
    final Path file = directory.resolve("disk");
    final FaultKernel kernel = new FaultKernel();
    final HandClock clock = new HandClock();
    final LogLines log = new LogLines();
    final NvmeHost host;
    NvmeHost.Queues queue;
    volatile boolean isFull = true;

    Case(boolean byRing, boolean lends) throws IOException {
      byte[] bytes = new byte[SIZE];
      Arrays.fill(bytes, (byte) 0x11);
      Files.write(file, bytes);
      var options =
          NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE).withWaitingForRoom())
              .withKernel(kernel)
              .withWake(clock);
      kernel.rule(this::inject);
      host = new NvmeHost(byRing ? options : options.withoutRing(), lends).enable();
      queue = host.createQueues(1, SQ, CQ, 64);
      host.memory.asSlice(DATA, 4096).fill((byte) 0x5a);
    }

    private @Nullable Answer inject(Call call) {
      return isFull && isChange(call) ? FaultKernel.errno(Errno.ENOSPC) : null;
    }

    boolean isChange(Call call) {
      return (call.kind() == Kind.WRITE || call.kind() == Kind.ALLOCATE)
          && call.touches(FIRST * BLOCK, BLOCKS * BLOCK);
    }

    /** How often it was tried since this was last asked. */
    long tries() {
      long tries = kernel.calls().stream().filter(this::isChange).count();
      kernel.record();
      return tries;
    }

    /** Sends a command, and sees that it waits for room. */
    int hold(Command command) {
      kernel.record();
      int id = queue.put(command);
      queue.ring();
      for (int i = 0; i < 2000 && log.count() == 0; i++) {
        host.awaitRequest();
      }
      assertThat(log.take())
          .singleElement()
          .asString()
          .startsWith(file + ": ")
          .contains("ENOSPC")
          .endsWith("The command waits until there is room.");
      assertThat(queue.takeAll()).isEmpty();
      assertThat(tries()).isEqualTo(1);
      assertThat(host.leases).as("memory is not borrowed for so long").hasValue(0);
      return id;
    }

    int hold() {
      return hold(NvmeHost.blocks(WRITE, FIRST, BLOCKS));
    }

    /** Lets some time pass in which it is tried again, in vain. */
    void passInVain(int times) {
      for (int i = 0; i < times; i++) {
        clock.advance(QUARTER);
        for (int look = 0; look < 2000 && clock.waiting() == 0; look++) {
          host.awaitRequest();
        }
        assertThat(queue.takeAll()).isEmpty();
        assertThat(tries()).isEqualTo(1);
      }
    }

    /** Nothing of it is left that would ever be tried again. */
    void assertForgotten() {
      isFull = false;
      kernel.record();
      for (int i = 0; i < 10; i++) {
        clock.advance(QUARTER);
        host.settle();
      }
      assertThat(queue.run(NvmeHost.blocks(READ, FIRST, BLOCKS).at(OTHER)).status()).isZero();
      assertThat(host.memory.get(LE32, OTHER)).isEqualTo(0x1111_1111);
      assertThat(tries()).isZero();
      assertThat(queue.run(NvmeHost.blocks(WRITE, FIRST, BLOCKS)).status()).isZero();
      assertThat(tries()).isEqualTo(1);
    }

    void assertStored(int value) throws IOException {
      byte[] bytes = Files.readAllBytes(file);
      for (int i = 0; i < BLOCKS * BLOCK; i++) {
        assertThat(bytes[FIRST * BLOCK + i]).as("byte %d", i).isEqualTo((byte) value);
      }
    }

    @Override
    public void close() {
      kernel.rule(null);
      host.close();
      log.close();
    }
  }

  @ParameterizedTest(name = "by ring {0}, lends {1}")
  @MethodSource("ways")
  void aWriteWaitsAndIsTriedUntilThereIsRoom(boolean byRing, boolean lends) throws IOException {
    try (var test = new Case(byRing, lends)) {
      int id = test.hold();
      test.passInVain(9);
      assertThat(test.log.take()).as("a line a second").hasSizeBetween(2, 3);
      test.assertStored(0x11);

      test.isFull = false;
      test.clock.advance(QUARTER);
      var done = test.queue.await(1);
      assertThat(done).hasSize(1);
      assertThat(done.getFirst().commandId()).isEqualTo(id);
      assertThat(done.getFirst().status()).isZero();
      test.assertStored(0x5a);
      assertThat(test.host.leases).hasValue(0);
      assertThat(test.clock.waiting()).as("nobody looks for room any more").isZero();
    }
  }

  @ParameterizedTest(name = "by ring {0}, lends {1}")
  @MethodSource("ways")
  void othersGoOnMeanwhile(boolean byRing, boolean lends) throws IOException {
    try (var test = new Case(byRing, lends)) {
      test.hold();
      var queue = test.queue;
      for (int i = 0; i < 20; i++) {
        assertThat(queue.run(NvmeHost.blocks(READ, i, 1).at(OTHER)).status()).isZero();
        assertThat(queue.run(NvmeHost.blocks(WRITE, 256 + i, 1).at(OTHER)).status()).isZero();
        assertThat(queue.run(new Command(FLUSH, 1, 0, 0, 0, 0, 0)).status()).isZero();
        assertThat(test.host.admin.run(Command.admin(0x0a, 7, 0)).status()).isZero();
        assertThat(test.host.status()).isEqualTo(1);
      }
    }
  }

  @ParameterizedTest(name = "by ring {0}, lends {1}")
  @MethodSource("ways")
  void aWriteThatIsHalfDoneGoesOnWhereItWas(boolean byRing, boolean lends) throws IOException {
    try (var test = new Case(byRing, lends)) {
      test.kernel.rule(
          call ->
              !test.isChange(call)
                  ? null
                  : call.byteSize() == BLOCKS * BLOCK
                      ? new Answer.Cut(3 * BLOCK)
                      : test.isFull ? FaultKernel.errno(Errno.ENOSPC) : FaultKernel.MADE);
      int id = test.queue.put(NvmeHost.blocks(WRITE, FIRST, BLOCKS));
      test.queue.ring();
      for (int i = 0; i < 2000 && test.log.count() == 0; i++) {
        test.host.awaitRequest();
      }
      assertThat(test.queue.takeAll()).isEmpty();
      test.kernel.record();
      test.isFull = false;
      test.clock.advance(QUARTER);
      var done = test.queue.await(1);
      assertThat(done).hasSize(1);
      assertThat(done.getFirst().commandId()).isEqualTo(id);
      assertThat(done.getFirst().status()).isZero();
      assertThat(test.kernel.calls())
          .singleElement()
          .matches(call -> call.offset() == (FIRST + 3) * BLOCK && call.byteSize() == 5 * BLOCK);
      test.assertStored(0x5a);
    }
  }

  @ParameterizedTest(name = "by ring {0}, lends {1}")
  @MethodSource("ways")
  void soDoZeroesThatTheFileSystemCannotPlace(boolean byRing, boolean lends) throws IOException {
    try (var test = new Case(byRing, lends)) {
      test.hold(NvmeHost.blocks(WRITE_ZEROES, FIRST, BLOCKS));
      test.passInVain(2);
      test.isFull = false;
      test.clock.advance(QUARTER);
      assertThat(test.queue.await(1)).singleElement().matches(each -> each.status() == 0);
      test.assertStored(0);
    }
  }

  /** What is deallocated makes room: it is not waited for the next look. */
  @ParameterizedTest(name = "by ring {0}, lends {1}")
  @MethodSource("ways")
  void aWriteGoesOnAtOnceWhenSomethingIsDeallocated(boolean byRing, boolean lends)
      throws IOException {
    try (var test = new Case(byRing, lends)) {
      int id = test.hold();
      test.host.memory.asSlice(OTHER, 16).fill((byte) 0);
      test.host.memory.set(LE32, OTHER + 4, 8);
      test.host.memory.set(LE64, OTHER + 8, 512);
      test.isFull = false;
      test.queue.put(new Command(DATASET_MANAGEMENT, 1, OTHER, 0, 0, 4, 0));
      test.queue.ring();
      var done = test.queue.await(2);
      assertThat(done).hasSize(2).allMatch(each -> each.status() == 0);
      assertThat(done).anyMatch(each -> each.commandId() == id);
      test.assertStored(0x5a);
    }
  }

  @ParameterizedTest(name = "by ring {0}, lends {1}")
  @MethodSource("ways")
  void aWriteThatWaitsCanBeAborted(boolean byRing, boolean lends) throws IOException {
    try (var test = new Case(byRing, lends)) {
      int id = test.hold();
      test.passInVain(2);
      int reader = test.queue.put(NvmeHost.blocks(READ, FIRST, 1).at(OTHER));
      test.queue.ring();
      assertThat(test.queue.takeAll()).as("a read of the same block waits for it").isEmpty();

      var abort = Command.admin(0x08, (id << 16) | 1, 0);
      assertThat(test.host.admin.run(abort).result()).isZero();
      var done = test.queue.await(2);
      test.queue.acknowledge();
      assertThat(done).hasSize(2);
      for (var each : done) {
        assertThat(each.status()).isEqualTo(each.commandId() == reader ? 0 : 0x007);
      }
      assertThat(test.host.memory.get(LE32, OTHER)).isEqualTo(0x1111_1111);
      assertThat(test.host.admin.run(abort).result()).as("it is gone").isEqualTo(1);
      test.assertForgotten();
    }
  }

  @ParameterizedTest(name = "by ring {0}, lends {1}")
  @MethodSource("ways")
  void aResetDoesNotWaitForRoom(boolean byRing, boolean lends) throws IOException {
    try (var test = new Case(byRing, lends)) {
      test.hold();
      test.host.configure(0);
      assertThat(test.host.status()).isZero();
      test.host.enable();
      test.queue = test.host.createQueues(1, SQ, CQ, 64);
      test.assertForgotten();
    }
  }

  @ParameterizedTest(name = "by ring {0}, lends {1}")
  @MethodSource("ways")
  void aQueueIsDeletedWithWhatWaitsInIt(boolean byRing, boolean lends) throws IOException {
    try (var test = new Case(byRing, lends)) {
      int id = test.hold();
      assertThat(test.host.admin.run(Command.admin(0x00, 1, 0)).status()).isZero();
      var done = test.queue.takeAll();
      assertThat(done).hasSize(1);
      assertThat(done.getFirst().commandId()).isEqualTo(id);
      assertThat(done.getFirst().status()).isEqualTo(0x008);
      assertThat(test.host.admin.run(Command.admin(0x04, 1, 0)).status()).isZero();
      test.queue = test.host.createQueues(1, SQ, CQ, 64);
      test.assertForgotten();
    }
  }

  @ParameterizedTest(name = "by ring {0}, lends {1}")
  @MethodSource("ways")
  void theEndDoesNotWaitForRoom(boolean byRing, boolean lends) throws IOException {
    try (var test = new Case(byRing, lends)) {
      test.hold();
      long begin = System.nanoTime();
      test.host.model.close();
      assertThat(System.nanoTime() - begin).isLessThan(5_000_000_000L);
      assertThat(test.kernel.calls()).extracting(Call::kind).isEqualTo(List.of(Kind.SYNC));
      test.assertStored(0x11);
    }
  }
}
