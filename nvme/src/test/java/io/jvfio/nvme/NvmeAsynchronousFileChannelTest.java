// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static java.nio.file.StandardOpenOption.DSYNC;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.model.nvme.NvmeModel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousFileChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.CompletionHandler;
import java.nio.channels.FileLock;
import java.nio.channels.NonReadableChannelException;
import java.nio.channels.NonWritableChannelException;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A namespace as an asynchronous file, compared with one. */
class NvmeAsynchronousFileChannelTest {
  private static final int SIZE = 96 << 10;

  /** The submission doorbell of the first queue after the controller's own. */
  private static final int CHANNEL_SUBMISSIONS = 4;

  private final FakeDevice device = new FakeDevice(NvmeModel.inMemory("SN", SIZE));
  private final NvmeController controller = NvmeController.open(device);
  private final NvmeNamespace namespace = controller.namespace(1);

  @AfterEach
  void close() {
    controller.close();
    assertThat(device.memory.openBuffers()).isZero();
    device.close();
  }

  private static NvmeAsynchronousFileChannel open(NvmeNamespace namespace, int pieces) {
    return namespace.openAsynchronousChannel(
        NvmeChannelOptions.of(READ, WRITE).withTransferBytes(4096).withTransfers(pieces),
        Runnable::run);
  }

  private static ByteBuffer random(Random random, int length) {
    var bytes = new byte[length];
    random.nextBytes(bytes);
    return ByteBuffer.wrap(bytes);
  }

  private static byte[] content(AsynchronousFileChannel channel) throws Exception {
    var all = ByteBuffer.allocate((int) channel.size());
    assertThat(channel.read(all, 0).get()).isEqualTo(SIZE);
    return all.array();
  }

  /** A handler that hands over what it is told. */
  private static final class Told<V> implements CompletionHandler<V, String> {
    final BlockingQueue<Object> told = new ArrayBlockingQueue<>(10);
    volatile Thread thread = Thread.currentThread();

    @Override
    public void completed(V result, String attachment) {
      thread = Thread.currentThread();
      told.add(attachment + " " + result);
    }

    @Override
    public void failed(Throwable cause, String attachment) {
      thread = Thread.currentThread();
      told.add(cause);
    }
  }

  // --- as a file ---

  @ParameterizedTest
  @CsvSource({"512, 1, 1", "512, 2, 5", "4096, 3, 1", "4096, 4, 5"})
  void doesWhatAFileDoes(int blockSize, long seed, int pieces, @TempDir Path directory)
      throws Exception {
    var random = new Random(seed);
    var path = Files.write(directory.resolve("file"), new byte[SIZE]);
    try (var disk = new FakeDevice(NvmeModel.inMemory("SN", SIZE, blockSize));
        var driver = NvmeController.open(disk);
        var file = AsynchronousFileChannel.open(path, READ, WRITE);
        var channel = open(driver.namespace(1), pieces)) {
      for (int i = 0; i < 1500; i++) {
        long place = random.nextInt(SIZE + 1000);
        int length = random.nextInt(3) == 0 ? 512 * random.nextInt(40) : random.nextInt(20_000);
        if (random.nextBoolean()) {
          var expected = ByteBuffer.allocate(length);
          var actual = ByteBuffer.allocate(length + 2).position(1).limit(length + 1).slice();
          assertThat(channel.read(actual, place).get())
              .as("seed %d, step %d", seed, i)
              .isEqualTo(file.read(expected, place).get());
          assertThat(actual.flip()).isEqualTo(expected.flip());
        } else {
          write(file, channel, place, random(random, length));
        }
      }
      assertThat(content(channel)).isEqualTo(Files.readAllBytes(path));
    }
  }

  /** A file would grow where a namespace is full. */
  private static void write(
      AsynchronousFileChannel file, AsynchronousFileChannel channel, long place, ByteBuffer data)
      throws Exception {
    int fits = Math.clamp(SIZE - place, 0, data.remaining());
    if (fits == 0 && data.hasRemaining()) {
      assertThatThrownBy(() -> channel.write(data, place).get())
          .hasCauseInstanceOf(IOException.class)
          .hasMessageContaining("No space at " + place);
      assertThat(data.position()).isZero();
    } else {
      assertThat(channel.write(data, place).get())
          .isEqualTo(file.write(data.slice(0, fits), place).get());
      assertThat(data.position()).isEqualTo(fits);
    }
  }

  @ParameterizedTest
  @CsvSource({"512, 1", "512, 7", "4096, 7"})
  void manyWritesOfNeighbouringBytesDoNotDisturbEachOther(int blockSize, int pieces)
      throws Exception {
    var random = new Random(pieces);
    var expected = ByteBuffer.allocate(SIZE);
    try (var disk = new FakeDevice(NvmeModel.inMemory("SN", SIZE, blockSize));
        var thread = disk.startThread();
        var driver = NvmeController.open(disk);
        var channel = open(driver.namespace(1), pieces)) {
      assertThat(thread).isNotNull();
      List<Future<Integer>> done = new ArrayList<>();
      List<Integer> lengths = new ArrayList<>();
      while (expected.hasRemaining()) {
        int length = Math.min(1 + random.nextInt(300), expected.remaining());
        var data = random(random, length);
        done.add(channel.write(data.duplicate(), expected.position()));
        lengths.add(length);
        expected.put(data);
      }
      for (int i = 0; i < lengths.size(); i++) {
        assertThat(done.get(i).get()).isEqualTo(lengths.get(i));
      }
      assertThat(content(channel)).isEqualTo(expected.array());
    }
  }

  @Test
  void writesOfTheSameBytesHappenInTheirOrder() throws Exception {
    try (var channel = open(namespace, 3)) {
      List<Future<Integer>> done = new ArrayList<>();
      for (int i = 1; i <= 100; i++) {
        var data = ByteBuffer.allocate(5000);
        while (data.hasRemaining()) {
          data.put((byte) i);
        }
        done.add(channel.write(data.flip(), 100));
      }
      for (var one : done) {
        one.get();
      }
      var back = ByteBuffer.allocate(5000);
      channel.read(back, 100).get();
      assertThat(back.array()).containsOnly(100);
    }
  }

  // --- outcomes ---

  @Test
  void handlersAreToldByTheExecutor() throws Exception {
    var told = new Told<Integer>();
    try (var pool = Executors.newSingleThreadExecutor(task -> new Thread(task, "handlers"))) {
      try (var channel =
          namespace.openAsynchronousChannel(NvmeChannelOptions.of(READ, WRITE), pool)) {
        var data = ByteBuffer.allocate(10);
        channel.write(data, 5, "wrote", told);
        assertThat(told.told.take()).isEqualTo("wrote 10");
        assertThat(data.position()).isEqualTo(10);
        assertThat(told.thread.getName()).isEqualTo("handlers");
        channel.read(ByteBuffer.allocate(10), SIZE, "read", told);
        assertThat(told.told.take()).isEqualTo("read -1");
        channel.read(ByteBuffer.allocate(0), 0, "read", told);
        assertThat(told.told.take()).isEqualTo("read 0");
        channel.write(ByteBuffer.allocate(1), SIZE, "wrote", told);
        assertThat(told.told.take()).isInstanceOf(IOException.class);
        pool.shutdown();
        channel.read(ByteBuffer.allocate(3), 0, "after", told);
        assertThat(told.told.take()).isEqualTo("after 3");
      }
    }
  }

  @Test
  void aHandlerMayGoOnAndMayCloseTheChannel() throws Exception {
    int buffers = device.memory.openBuffers();
    for (var handlers : List.<Executor>of(Runnable::run, Thread::startVirtualThread)) {
      var channel = namespace.openAsynchronousChannel(NvmeChannelOptions.of(READ, WRITE), handlers);
      var told = new Told<Integer>();
      channel.read(
          ByteBuffer.allocate(1),
          0,
          3,
          new CompletionHandler<Integer, Integer>() {
            @Override
            public void completed(Integer result, Integer left) {
              if (left > 0) {
                channel.read(ByteBuffer.allocate(1), left, left - 1, this);
                return;
              }
              try {
                channel.close();
                told.completed(result, "closed");
              } catch (IOException e) {
                told.failed(e, "");
              }
            }

            @Override
            public void failed(Throwable cause, Integer left) {
              told.failed(cause, "");
            }
          });
      assertThat(told.told.take()).isEqualTo("closed 1");
      channel.close();
      assertThat(device.memory.openBuffers()).isEqualTo(buffers);
    }
  }

  @Test
  void wrapsWhatTheDriverThrows() throws Exception {
    try (var channel = open(namespace, 2)) {
      device.memory.unmap(channel.memory());
      var target = ByteBuffer.allocate(100);
      assertThatThrownBy(() -> channel.read(target, 700).get())
          .isInstanceOf(ExecutionException.class)
          .cause()
          .isInstanceOf(NvmeIoException.class)
          .hasMessageContaining("Read of block 1")
          .hasMessageContaining("Data Transfer Error")
          .hasCauseInstanceOf(NvmeStatusException.class);
      assertThat(target.position()).isZero();
      assertThatThrownBy(() -> channel.write(ByteBuffer.allocate(512), 0).get())
          .hasMessageContaining("Write of block 0");
      channel.force(true);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void flushesWhereItIsOpenedToDoSo(boolean synchronous) throws Exception {
    try (var channel =
        synchronous
            ? namespace.openAsynchronousChannel(WRITE, DSYNC)
            : namespace.openAsynchronousChannel(WRITE)) {
      int before = device.rings[CHANNEL_SUBMISSIONS];
      channel.write(ByteBuffer.allocate(512), 0).get();
      assertThat(device.rings[CHANNEL_SUBMISSIONS] - before).isEqualTo(synchronous ? 2 : 1);
    }
  }

  // --- cancelling and closing ---

  @Test
  void aCancelledOperationLeavesItsBufferAlone() throws Exception {
    try (var channel = open(namespace, 2)) {
      channel.write(random(new Random(1), SIZE), 0).get();
      var target = ByteBuffer.allocate(50_000);
      Future<Integer> result;
      try (var _ = device.holdDoorbells()) {
        result = channel.read(target, 0);
        while (!device.isHeld(CHANNEL_SUBMISSIONS)) {
          Thread.onSpinWait();
        }
        assertThat(result.cancel(true)).isTrue();
        assertThatThrownBy(result::get).isInstanceOf(CancellationException.class);
      }
      // It has to wait for the memory that the two Reads of the other one have.
      assertThat(channel.read(ByteBuffer.allocate(5000), 0).get()).isEqualTo(5000);
      assertThat(target.position()).isZero();
      assertThat(target.array()).containsOnly(0);
      assertThat(result.cancel(true)).isTrue();
    }
  }

  @Test
  void closingEndsWhatIsUnderWay() throws Exception {
    int buffers = device.memory.openBuffers();
    for (int round = 0; round < 100; round++) {
      var channel = open(namespace, 2);
      List<Future<Integer>> results = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        results.add(
            i % 2 == 0
                ? channel.write(ByteBuffer.allocate(30_000), 7)
                : channel.read(ByteBuffer.allocate(30_000), 7));
      }
      channel.close();
      channel.close();
      for (var result : results) {
        assertThat(result).isDone();
        if (result.state() == Future.State.FAILED) {
          assertThat(result.exceptionNow()).isInstanceOf(ClosedChannelException.class);
        } else {
          assertThat(result.resultNow()).isEqualTo(30_000);
        }
      }
      assertThat(device.memory.openBuffers()).isEqualTo(buffers);
    }
    // Nobody holds blocks any more.
    try (var channel = namespace.openChannel(WRITE)) {
      channel.write(ByteBuffer.allocate(SIZE));
    }
  }

  @Test
  void closedMeansClosed() throws Exception {
    var channel = open(namespace, 1);
    channel.close();
    assertThat(channel.isOpen()).isFalse();
    var told = new Told<Integer>();
    channel.read(ByteBuffer.allocate(1), 0, "", told);
    assertThat(told.told.take()).isInstanceOf(ClosedChannelException.class);
    assertThatThrownBy(() -> channel.write(ByteBuffer.allocate(1), 0).get())
        .hasCauseInstanceOf(ClosedChannelException.class);
    assertThatThrownBy(channel::size).isInstanceOf(ClosedChannelException.class);
    assertThatThrownBy(() -> channel.force(true)).isInstanceOf(ClosedChannelException.class);
    assertThatThrownBy(() -> channel.lock().get()).hasCauseInstanceOf(ClosedChannelException.class);
  }

  // --- what is refused ---

  @Test
  void keepsToReadingOrWriting() throws Exception {
    try (var reader = namespace.openAsynchronousChannel();
        var writer = namespace.openAsynchronousChannel(WRITE)) {
      var byteBuffer = ByteBuffer.allocate(1);
      assertThatThrownBy(() -> reader.write(byteBuffer, 0))
          .isInstanceOf(NonWritableChannelException.class);
      assertThatThrownBy(() -> writer.read(byteBuffer, 0))
          .isInstanceOf(NonReadableChannelException.class);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> reader.read(byteBuffer.asReadOnlyBuffer(), 0));
      assertThatIllegalArgumentException().isThrownBy(() -> writer.write(byteBuffer, -1));
      assertThatExceptionOfType(IOException.class).isThrownBy(() -> writer.truncate(0));
      assertThat(writer.truncate(SIZE)).isSameAs(writer);
      assertThat(reader.size()).isEqualTo(SIZE);
    }
  }

  @Test
  @SuppressWarnings("try") // closing early is what is tested
  void locksAreThoseOfTheProcess() throws Exception {
    try (var one = open(namespace, 1);
        var other = namespace.openChannel(READ, WRITE)) {
      var told = new Told<FileLock>();
      one.lock(10, 10, false, "locked", told);
      assertThat(told.told.take().toString())
          .startsWith("locked")
          .contains("10:10 exclusive valid");
      assertThatThrownBy(() -> other.lock(15, 1, false))
          .isInstanceOf(OverlappingFileLockException.class);
      one.close();
      other.lock(15, 1, false).release();
    }
  }
}
