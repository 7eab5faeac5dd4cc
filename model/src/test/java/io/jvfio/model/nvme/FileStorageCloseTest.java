// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ForwardingKernel;
import io.jvfio.linux.Kernel;
import io.jvfio.model.nvme.FaultKernel.Call;
import io.jvfio.model.nvme.FaultKernel.Kind;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The end of a disk whose system calls do not. */
class FileStorageCloseTest {
  private static final int WRITE = 1;
  private static final int READ = 2;
  private static final int SIZE = 1 << 20;
  private static final int BLOCK = 512;
  private static final long SQ = 0x4_0000;
  private static final long CQ = 0x5_0000;
  private static final int ENTRIES = 64;
  private static final byte OLD = 0x11;
  private static final byte NEW = 0x22;

  private static final long SECOND = 1_000_000_000;

  /** Ten seconds for what is under way, and one each for the flush and for taking calls back. */
  private static final long BOUND_NANOS = 12_100_000_000L;

  @TempDir Path directory;

  private final FaultKernel kernel = new FaultKernel();
  private final HandClock clock = new HandClock();
  private final LogLines log = new LogLines();
  private Path file;

  @SuppressWarnings("NullAway.Init") // each test starts its own
  private NvmeHost host;

  @BeforeEach
  void prepare() throws IOException {
    file = directory.resolve("disk");
    byte[] bytes = new byte[SIZE];
    Arrays.fill(bytes, OLD);
    Files.write(file, bytes);
  }

  private NvmeModelOptions options(boolean byRing) {
    var options =
        NvmeModelOptions.of("S", NvmeNamespaceOptions.inFile(file, SIZE))
            .withKernel(kernel)
            .withWake(clock);
    return byRing ? options : options.withoutRing();
  }

  private void start(boolean byRing, boolean isLending) {
    host = new NvmeHost(options(byRing), isLending).enable();
    host.io = host.createQueues(1, SQ, CQ, ENTRIES);
    host.memory.asSlice(NvmeHost.DATA, 0x1_0000).fill(NEW);
  }

  private static void put(NvmeHost host, int opcode, int block) {
    host.io.put(NvmeHost.blocks(opcode, block, 2).at(NvmeHost.DATA + 0x1000L * block));
  }

  private static boolean isTransfer(Call call) {
    return call.kind() == Kind.READ || call.kind() == Kind.WRITE;
  }

  private void hold(Kind kind) {
    kernel.rule(call -> call.kind() == kind ? FaultKernel.HELD : null);
  }

  /**
   * Closes the disk, which takes no longer than it may.
   *
   * @param held how many calls are held all the time
   */
  private void close(int held) {
    long begin = clock.nanoTime();
    clock.passWhenPaused(() -> kernel.heldCount() == held);
    host.model.close();
    assertThat(clock.nanoTime() - begin).isLessThan(BOUND_NANOS);
  }

  /**
   * The same where what was written is not known to be on the disk: nobody may think that it is.
   */
  private void closeUnflushed(int held) {
    long begin = clock.nanoTime();
    assertThatThrownBy(() -> close(held))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("the last fdatasync did not end in time");
    assertThat(clock.nanoTime() - begin).isLessThan(BOUND_NANOS);
  }

  /** All that was held ends at last, and whoever would go on with it may. */
  private void endAll() {
    kernel.rule(null);
    kernel.record();
    kernel.releaseAll();
    for (int i = 0; i < 10; i++) {
      host.awaitRequest();
      host.model.poll();
    }
  }

  private byte inFile(int block) throws IOException {
    return Files.readAllBytes(file)[block * BLOCK];
  }

  private byte inMemory(int block) {
    return host.memory.get(ValueLayout.JAVA_BYTE, NvmeHost.DATA + 0x1000L * block);
  }

  @AfterEach
  void end() {
    kernel.rule(null);
    kernel.releaseAll();
    log.close();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void returnsInTimeAndTellsWhatItLeaves(boolean byRing) {
    start(byRing, true);
    kernel.rule(call -> isTransfer(call) ? FaultKernel.HELD : null);
    put(host, READ, 0);
    put(host, WRITE, 4);
    host.io.ring();
    kernel.awaitHeld(2, host);

    kernel.record();
    long flushes = clock.nanoTime() + 10 * SECOND;
    clock.passWhenPaused(() -> clock.nanoTime() < flushes || !kernel.calls().isEmpty());
    host.model.close();

    assertThat(clock.nanoTime() - flushes).isBetween(SECOND, BOUND_NANOS - 10 * SECOND);
    assertThat(kernel.calls()).as("the flush").extracting(Call::kind).containsExactly(Kind.SYNC);
    assertThat(log.take())
        .singleElement()
        .asString()
        .isEqualTo(
            file
                + ": 2 of its system calls do not end. Nothing more is begun, but the kernel may still"
                + " carry these out: the file stays open and locked, and the memory that they use"
                + " borrowed, until this process ends.");
    assertThat(host.leases).as("memory that the kernel uses is not given back").hasValue(2);
    assertThatThrownBy(() -> NvmeModel.of(options(byRing)))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("it is the disk of another controller");
  }

  /** Client memory that was never lent is not written to by what ends later. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void writesNoMemoryAfterwards(boolean byRing) {
    start(byRing, false);
    hold(Kind.READ);
    put(host, READ, 0);
    host.io.ring();
    kernel.awaitHeld(1, host);

    close(1);
    endAll();

    assertThat(inMemory(0)).isEqualTo(NEW);
    assertThat(kernel.calls()).isEmpty();
  }

  /** What the kernel has done in part does not go on. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void goesOnWithNothingAfterwards(boolean byRing) throws IOException {
    start(byRing, true);
    hold(Kind.WRITE);
    put(host, WRITE, 0);
    put(host, WRITE, 1); // waits for the one before it
    host.io.ring();
    kernel.awaitHeld(1, host);

    close(1);
    kernel.record();
    kernel.rule(null);
    kernel.release(new FaultKernel.Answer.Cut(BLOCK));
    endAll();

    assertThat(kernel.calls()).isEmpty();
    assertThat(inFile(0)).isEqualTo(NEW);
    assertThat(inFile(1)).isEqualTo(OLD);
    assertThat(inFile(2)).isEqualTo(OLD);
  }

  /** Eight threads wait for the disk; what came after never begins. */
  @Test
  void beginsNothingAfterwardsThatWaitedForAThread() throws IOException {
    start(false, true);
    hold(Kind.WRITE);
    for (int i = 0; i < 12; i++) {
      put(host, WRITE, 2 * i);
    }
    host.io.ring();
    kernel.awaitHeld(8, host);

    closeUnflushed(8);
    assertThat(log.take())
        .hasSize(2)
        .anyMatch(line -> line.contains("did not answer in time to flush it"))
        .anyMatch(line -> line.contains("8 of its system calls do not end"));
    endAll();

    assertThat(kernel.calls()).isEmpty();
    int written = 0;
    for (int i = 0; i < 12; i++) {
      written += inFile(2 * i) == NEW ? 1 : 0;
    }
    assertThat(written).as("writes that the kernel had").isEqualTo(8);
  }

  /** The kernel gives up what it has not begun, and the disk is closed as it should be. */
  @Test
  void takesBackWhatTheKernelLetsGo() throws IOException {
    start(true, true);
    kernel.letCancel();
    hold(Kind.WRITE);
    put(host, WRITE, 0);
    put(host, WRITE, 4);
    host.io.ring();
    kernel.awaitHeld(2, host);

    close(2);

    assertThat(log.take()).isEmpty();
    assertThat(kernel.heldCount()).isZero();
    assertThat(host.leases).hasValue(0);
    assertThat(inFile(0)).isEqualTo(OLD);
    kernel.rule(null);
    NvmeModel.of(options(true)).close();
  }

  /** The flush at the end is a call like any other. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void doesNotWaitForAFlushThatNeverEnds(boolean byRing) {
    start(byRing, true);
    put(host, WRITE, 0);
    host.io.ring();
    assertThat(host.io.await(1)).singleElement().matches(each -> each.status() == 0);
    hold(Kind.SYNC);

    closeUnflushed(1);

    assertThat(log.take())
        .singleElement()
        .asString()
        .startsWith(file + ": 1 of its system calls do not end.");
  }

  /** Who would wait for room otherwise fails: nobody makes room for a disk that ends. */
  @Test
  void waitsForNoRoom() throws IOException {
    var namespace = NvmeNamespaceOptions.inFile(file, SIZE).withWaitingForRoom();
    host =
        new NvmeHost(NvmeModelOptions.of("S", namespace).withKernel(kernel).withWake(clock), true)
            .enable();
    host.io = host.createQueues(1, SQ, CQ, ENTRIES);
    hold(Kind.WRITE);
    put(host, WRITE, 0);
    host.io.ring();
    kernel.awaitHeld(1, host);
    kernel.rule(call -> call.kind() == Kind.WRITE ? FaultKernel.errno(Errno.ENOSPC) : null);
    kernel.release(new FaultKernel.Answer.Cut(BLOCK));

    long begin = clock.nanoTime();
    clock.passWhenPaused(() -> true);
    host.model.close();

    assertThat(clock.nanoTime() - begin).isLessThan(SECOND);
    assertThat(log.take()).singleElement().asString().contains("ENOSPC");
    assertThat(host.leases).hasValue(0);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void flushesAtTheEndAndTellsWhenThatFails(boolean byRing) {
    start(byRing, true);
    kernel.rule(call -> call.kind() == Kind.SYNC ? FaultKernel.errno(Errno.EIO) : null);
    kernel.record();

    assertThatThrownBy(host.model::close).hasMessageContaining("the last fdatasync failed: EIO");

    assertThat(kernel.calls()).singleElement().matches(call -> call.kind() == Kind.SYNC);
    assertThat(log.take())
        .singleElement()
        .asString()
        .startsWith(file + ": fdatasync of 1,048,576 bytes at 0 failed: EIO")
        .contains("may be lost");
  }

  /** Throws once, and then does what it should. */
  private static final class Throwing extends ForwardingKernel {
    private final String where;
    private boolean isArmed;

    Throwing(Kernel kernel, String where) {
      super(kernel);
      this.where = where;
    }

    private void call(String name) {
      if (isArmed && name.equals(where)) {
        isArmed = false;
        throw new IllegalStateException("thrown by " + where);
      }
    }

    @Override
    public int ioUringEnter(int fd, int toSubmit, int minComplete, int flags) {
      call("io_uring_enter");
      return super.ioUringEnter(fd, toSubmit, minComplete, flags);
    }

    @Override
    public int munmap(long address, long byteSize) {
      int result = super.munmap(address, byteSize);
      call("munmap");
      return result;
    }

    @Override
    public int unlockFile(int fd) {
      call("unlock");
      return super.unlockFile(fd);
    }

    @Override
    public int close(int fd) {
      int result = super.close(fd);
      call("close");
      return result;
    }
  }

  /** A mistake of this program, say: of what is to be done at the end, nothing is left out. */
  @ParameterizedTest
  @ValueSource(strings = {"io_uring_enter", "munmap", "unlock", "close"})
  void endsEverythingAlsoIfACallThrows(String where) {
    var throwing = new Throwing(kernel, where);
    var other = NvmeNamespaceOptions.inFile(directory.resolve("other"), SIZE);
    host = new NvmeHost(options(true).withNamespace(other).withKernel(throwing), true).enable();
    host.io = host.createQueues(1, SQ, CQ, ENTRIES);
    hold(Kind.WRITE);
    put(host, WRITE, 0);
    host.io.ring();
    kernel.awaitHeld(1, host);
    kernel.record();
    clock.passWhenPaused(
        () -> {
          kernel.releaseAll();
          return true;
        });
    throwing.isArmed = true;

    assertThatThrownBy(host.model::close).hasMessage("thrown by " + where);

    assertThat(kernel.calls())
        .as("both are flushed")
        .filteredOn(call -> call.kind() == Kind.SYNC)
        .hasSize(2);
    assertThat(host.leases).hasValue(0);
    kernel.rule(null);
    NvmeModel.of(options(true).withNamespace(other)).close(); // nobody has them any more
    assertThat(log.take()).isEmpty();
  }

  @Test
  void tellsWhatWasThrownWithWhatMayBeLost() {
    start(true, true);
    kernel.rule(
        call -> {
          throw new IllegalStateException("thrown by a flush");
        });
    clock.passWhenPaused(() -> true);

    assertThatThrownBy(host.model::close)
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("the last fdatasync did not end in time")
        .satisfies(
            thrown ->
                assertThat(thrown.getSuppressed())
                    .singleElement()
                    .isInstanceOf(IllegalStateException.class));

    kernel.rule(null);
    assertThat(log.take()).hasSize(1);
  }
}
