// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.DSYNC;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.VfioException;
import io.jvfio.model.nvme.NvmeModel;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.Channels;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.NonReadableChannelException;
import java.nio.channels.NonWritableChannelException;
import java.nio.channels.OverlappingFileLockException;
import java.nio.channels.ReadableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A namespace as a file, compared with a file. */
class NvmeFileChannelTest {
  private static final int SIZE = 96 << 10;
  private static final int SMALL = 8192;

  private final FakeDevice device = new FakeDevice(NvmeModel.inMemory("SN", SIZE));
  private final NvmeController controller =
      NvmeController.open(device, NvmeOptions.defaults().withSharedQueues(1));
  private final NvmeNamespace namespace = controller.namespace(1);

  @AfterEach
  void close() {
    controller.close();
    assertThat(device.memory.openBuffers()).isZero();
    device.close();
  }

  private static ByteBuffer bytes(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
  }

  private static ByteBuffer random(Random random, int length) {
    var buffer = buffer(random, length);
    var bytes = new byte[length];
    random.nextBytes(bytes);
    return buffer.put(bytes).flip();
  }

  /** On or off the heap, with or without bytes before and behind. */
  private static ByteBuffer buffer(Random random, int length) {
    int before = random.nextInt(3);
    int size = before + length + random.nextInt(3);
    var buffer = random.nextBoolean() ? ByteBuffer.allocate(size) : ByteBuffer.allocateDirect(size);
    return buffer.position(before).limit(before + length).slice();
  }

  // --- as a file ---

  @ParameterizedTest
  @CsvSource({"512, 1", "512, 2", "512, 3", "4096, 4", "4096, 5", "4096, 6"})
  void doesWhatAFileDoes(int blockSize, long seed, @TempDir Path directory) throws IOException {
    var random = new Random(seed);
    var path = Files.write(directory.resolve("file"), new byte[SIZE]);
    try (var disk = new FakeDevice(NvmeModel.inMemory("SN", SIZE, blockSize));
        var driver = NvmeController.open(disk);
        var file = FileChannel.open(path, READ, WRITE);
        var channel =
            driver
                .namespace(1)
                .openChannel(NvmeChannelOptions.of(READ, WRITE).withTransferBytes(SMALL))) {
      for (int i = 0; i < 3000; i++) {
        step(random, file, channel);
        assertThat(channel.position()).as("seed %d, step %d", seed, i).isEqualTo(file.position());
        assertThat(channel.size()).isEqualTo(file.size());
      }
      assertThat(content(channel)).isEqualTo(Files.readAllBytes(path));
    }
  }

  private static byte[] content(FileChannel channel) throws IOException {
    var all = ByteBuffer.allocate((int) channel.size());
    channel.read(all, 0);
    return all.array();
  }

  private static long place(Random random) {
    long near = random.nextInt(SIZE / 512 + 1) * 512L + random.nextInt(-3, 4);
    return Math.max(0, random.nextBoolean() ? near : random.nextInt(SIZE + 1000));
  }

  private static int length(Random random) {
    return switch (random.nextInt(4)) {
      case 0 -> random.nextInt(20);
      case 1 -> 512 * random.nextInt(40);
      default -> random.nextInt(30_000);
    };
  }

  /** The same thing on both sides, which has to have the same effect and answer. */
  private static void step(Random random, FileChannel file, FileChannel channel)
      throws IOException {
    switch (random.nextInt(7)) {
      case 0 -> {
        long place = place(random);
        file.position(place);
        channel.position(place);
      }
      case 1 -> {
        int length = length(random);
        var expected = ByteBuffer.allocate(length);
        var actual = buffer(random, length);
        assertThat(channel.read(actual)).isEqualTo(file.read(expected));
        assertThat(actual.flip()).isEqualTo(expected.flip());
      }
      case 2 -> {
        long place = place(random);
        int length = length(random);
        var expected = ByteBuffer.allocate(length);
        var actual = buffer(random, length);
        assertThat(channel.read(actual, place)).isEqualTo(file.read(expected, place));
        assertThat(actual.flip()).isEqualTo(expected.flip());
      }
      case 3 -> {
        var data = random(random, length(random));
        long position = file.position();
        write(file, position, data, () -> channel.write(data));
        file.position(channel.position());
      }
      case 4 -> {
        var data = random(random, length(random));
        long place = place(random);
        write(file, place, data, () -> channel.write(data, place));
      }
      case 5 -> {
        var expected = new ByteBuffer[4];
        var actual = new ByteBuffer[4];
        for (int i = 0; i < actual.length; i++) {
          int length = random.nextInt(5000) * random.nextInt(2);
          expected[i] = ByteBuffer.allocate(length);
          actual[i] = buffer(random, length);
        }
        assertThat(channel.read(actual, 1, 3)).isEqualTo(file.read(expected, 1, 3));
        for (int i = 0; i < actual.length; i++) {
          assertThat(actual[i].flip()).isEqualTo(expected[i].flip());
        }
      }
      default -> {
        var expected = new ByteArrayOutputStream();
        var actual = new ByteArrayOutputStream();
        long place = place(random);
        int length = length(random);
        assertThat(channel.transferTo(place, length, Channels.newChannel(actual)))
            .isEqualTo(file.transferTo(place, length, Channels.newChannel(expected)));
        assertThat(actual.toByteArray()).isEqualTo(expected.toByteArray());
      }
    }
  }

  private interface Write {
    int run() throws IOException;
  }

  /** A file would grow where a namespace is full. */
  private static void write(FileChannel file, long place, ByteBuffer data, Write write)
      throws IOException {
    int fits = Math.clamp(SIZE - place, 0, data.remaining());
    if (data.hasRemaining() && fits == 0) {
      int before = data.position();
      assertThatExceptionOfType(IOException.class)
          .isThrownBy(write::run)
          .withMessageContaining("No space at " + place);
      assertThat(data.position()).isEqualTo(before);
      return;
    }
    var expected = data.slice(0, fits);
    assertThat(write.run()).isEqualTo(file.write(expected, place));
    assertThat(data.position()).isEqualTo(fits);
  }

  @ParameterizedTest
  @ValueSource(ints = {512, 4096})
  void writersOfNeighbouringBytesDoNotDisturbEachOther(int blockSize) throws Exception {
    int threads = 8;
    var expected = new byte[SIZE];
    try (var disk = new FakeDevice(NvmeModel.inMemory("SN", SIZE, blockSize));
        var driver = NvmeController.open(disk);
        var channel =
            driver
                .namespace(1)
                .openChannel(NvmeChannelOptions.of(READ, WRITE).withTransferBytes(SMALL));
        var pool = Executors.newFixedThreadPool(threads)) {
      List<Future<?>> done = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        int thread = i;
        // Bytes i, i + threads, ... of runs of 100: every block belongs to several threads.
        done.add(pool.submit(() -> writeRuns(channel, expected, thread, threads)));
      }
      for (var one : done) {
        one.get();
      }
      assertThat(content(channel)).isEqualTo(expected);
    }
  }

  private static Void writeRuns(FileChannel channel, byte[] expected, int thread, int threads)
      throws IOException {
    var random = new Random(thread);
    int run = 100;
    for (int round = 0; round < 2; round++) {
      for (int start = thread * run; start < SIZE; start += threads * run) {
        var data = new byte[Math.min(run, SIZE - start)];
        random.nextBytes(data);
        assertThat(channel.write(ByteBuffer.wrap(data), start)).isEqualTo(data.length);
        var back = ByteBuffer.allocate(data.length);
        channel.read(back, start);
        assertThat(back.array()).isEqualTo(data);
        System.arraycopy(data, 0, expected, start, data.length);
      }
    }
    return null;
  }

  @Test
  void threadsShareThePosition() throws Exception {
    try (var channel = namespace.openChannel(READ, WRITE);
        var pool = Executors.newFixedThreadPool(4)) {
      List<Future<Integer>> done = new ArrayList<>();
      for (int i = 0; i < 300; i++) {
        byte value = (byte) (i + 1);
        done.add(pool.submit(() -> channel.write(ByteBuffer.wrap(new byte[] {value, value}))));
      }
      for (var one : done) {
        assertThat(one.get()).isEqualTo(2);
      }
      assertThat(channel.position()).isEqualTo(600);
      var seen = new int[256];
      var content = content(channel);
      for (int i = 0; i < 600; i += 2) {
        assertThat(content[i]).isEqualTo(content[i + 1]);
        seen[content[i] & 0xff]++;
      }
      for (int i = 0; i < 300; i++) {
        assertThat(seen[(i + 1) & 0xff]).isEqualTo(i < 44 || i >= 256 ? 2 : 1);
      }
    }
  }

  // --- what a namespace is not ---

  @Test
  void cannotBeTruncatedOrGrow() throws IOException {
    try (var channel = namespace.openChannel(READ, WRITE)) {
      assertThatExceptionOfType(IOException.class)
          .isThrownBy(() -> channel.truncate(SIZE - 1))
          .withMessageContaining("fixed at " + SIZE)
          .withMessageContaining(FakeDevice.NAME);
      channel.position(SIZE + 10L).truncate(SIZE + 5L);
      assertThat(channel.position()).isEqualTo(SIZE + 5L);
      assertThat(channel.write(ByteBuffer.allocate(10), SIZE - 4)).isEqualTo(4);
      assertThatExceptionOfType(IOException.class)
          .isThrownBy(() -> channel.transferFrom(zeroes(), SIZE, 1))
          .withMessageContaining("No space at " + SIZE);
      assertThat(channel.transferFrom(zeroes(), SIZE + 1L, 1)).isZero();
      assertThat(channel.transferFrom(zeroes(), SIZE - 2, 5)).isEqualTo(2);
    }
  }

  private static ReadableByteChannel zeroes() {
    return Channels.newChannel(new ByteArrayInputStream(new byte[100]));
  }

  @Test
  void cannotBeMappedOrAppendedTo() throws IOException {
    try (var channel = namespace.openChannel()) {
      assertThatThrownBy(() -> channel.map(FileChannel.MapMode.READ_ONLY, 0, 1))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("commands");
    }
    assertThatThrownBy(() -> namespace.openChannel(APPEND))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("APPEND");
  }

  @Test
  void keepsToReadingOrWriting() throws IOException {
    try (var reader = namespace.openChannel();
        var writer = namespace.openChannel(WRITE)) {
      assertThatThrownBy(() -> reader.write(bytes("a")))
          .isInstanceOf(NonWritableChannelException.class);
      assertThatThrownBy(() -> writer.read(ByteBuffer.allocate(1)))
          .isInstanceOf(NonReadableChannelException.class);
      assertThatThrownBy(() -> reader.truncate(0)).isInstanceOf(NonWritableChannelException.class);
      assertThat(writer.write(bytes("abc"), 600)).isEqualTo(3);
      var back = ByteBuffer.allocate(5);
      reader.read(back, 599);
      assertThat(back.array()).containsExactly(0, 'a', 'b', 'c', 0);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> reader.read(back.asReadOnlyBuffer(), 0));
      assertThatIllegalArgumentException().isThrownBy(() -> reader.read(back, -1));
      assertThatIllegalArgumentException().isThrownBy(() -> reader.position(-1));
    }
  }

  @Test
  @SuppressWarnings("try") // closing early is what is tested
  void locksAreThoseOfTheProcess() throws IOException {
    try (var one = namespace.openChannel(READ, WRITE);
        var other = namespace.openChannel(READ, WRITE)) {
      var lock = one.lock(10, 10, false);
      assertThat(lock.isValid()).isTrue();
      assertThatThrownBy(() -> other.tryLock(19, 1, true))
          .isInstanceOf(OverlappingFileLockException.class);
      try (var beside = other.lock(20, 0, true)) {
        assertThat(beside.isShared()).isTrue();
      }
      lock.release();
      assertThat(lock.isValid()).isFalse();
      var again = other.lock();
      other.close();
      assertThat(again.isValid()).isFalse();
      assertThatThrownBy(again::release).isInstanceOf(ClosedChannelException.class);
      one.lock().close();
    }
  }

  // --- safety of data ---

  @ParameterizedTest
  @CsvSource({"false, 1", "true, 2"})
  void flushesWhereItIsOpenedToDoSo(boolean synchronous, int commands) throws IOException {
    try (var channel =
        synchronous ? namespace.openChannel(WRITE, DSYNC) : namespace.openChannel(WRITE)) {
      int before = device.rings[2];
      channel.write(ByteBuffer.allocate(512));
      assertThat(device.rings[2] - before).isEqualTo(commands);
      channel.force(false);
      assertThat(device.rings[2] - before).isEqualTo(commands + 1);
    }
  }

  // --- failures and closing ---

  @Test
  void wrapsWhatTheDriverThrows() throws IOException {
    try (var channel = namespace.openChannel(READ, WRITE)) {
      var target = ByteBuffer.allocate(100);
      channel.position(7);
      device.memory.unmap(channel.memory());
      assertThatThrownBy(() -> channel.read(target))
          .isInstanceOf(NvmeIoException.class)
          .hasMessageContaining("Data Transfer Error")
          .cause()
          .isInstanceOf(NvmeStatusException.class);
      assertThat(target.position()).isZero();
      assertThat(channel.position()).isEqualTo(7);
      controller.close();
      assertThatThrownBy(() -> channel.read(target))
          .isInstanceOf(NvmeIoException.class)
          .hasMessageContaining("closed")
          .cause()
          .isInstanceOf(IllegalStateException.class);
    }
    assertThatThrownBy(namespace::openChannel).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void opensNothingOnAControllerThatFailed() throws IOException {
    var options = NvmeOptions.defaults().withCommandTimeout(Duration.ofMillis(20));
    try (var disk = new FakeDevice(NvmeModel.inMemory("SN", SIZE));
        var driver = NvmeController.open(disk, options)) {
      var one = driver.namespace(1);
      try (var channel = one.openChannel()) {
        disk.ignoresDoorbells = true;
        assertThatThrownBy(() -> channel.force(true))
            .isInstanceOf(NvmeIoException.class)
            .hasCauseInstanceOf(VfioException.class);
        assertThatThrownBy(one::openChannel).isInstanceOf(VfioException.class);
      }
    }
  }

  @Test
  void closedMeansClosed() throws IOException {
    var channel = namespace.openChannel(READ, WRITE);
    channel.close();
    channel.close();
    assertThat(channel.isOpen()).isFalse();
    assertThatThrownBy(() -> channel.read(ByteBuffer.allocate(1)))
        .isInstanceOf(ClosedChannelException.class);
    assertThatThrownBy(() -> channel.write(ByteBuffer.allocate(1), 0))
        .isInstanceOf(ClosedChannelException.class);
    assertThatThrownBy(channel::size).isInstanceOf(ClosedChannelException.class);
    assertThatThrownBy(channel::position).isInstanceOf(ClosedChannelException.class);
    assertThatThrownBy(() -> channel.force(true)).isInstanceOf(ClosedChannelException.class);
    assertThatThrownBy(channel::lock).isInstanceOf(ClosedChannelException.class);
  }

  @Test
  void anInterruptClosesTheChannel() {
    var channel = namespace.openChannel(READ, WRITE);
    Thread.currentThread().interrupt();
    assertThatThrownBy(() -> channel.read(ByteBuffer.allocate(1)))
        .isInstanceOf(ClosedByInterruptException.class);
    assertThat(Thread.interrupted()).isTrue();
    assertThat(channel.isOpen()).isFalse();
  }

  @Test
  void closingEndsTheOperationsOfOtherThreads() throws Exception {
    int buffers = device.memory.openBuffers();
    for (int round = 0; round < 50; round++) {
      var channel =
          namespace.openChannel(
              NvmeChannelOptions.of(READ, WRITE).withTransferBytes(4096).withTransfers(2));
      var started = new CountDownLatch(4);
      try (var pool = Executors.newFixedThreadPool(4)) {
        List<Future<Throwable>> ends = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
          ends.add(pool.submit(() -> readUntilClosed(channel, started)));
        }
        started.await();
        channel.close();
        for (var end : ends) {
          assertThat(end.get()).isInstanceOf(ClosedChannelException.class);
        }
      }
      assertThat(device.memory.openBuffers()).isEqualTo(buffers);
    }
  }

  private static Throwable readUntilClosed(FileChannel channel, CountDownLatch started) {
    var target = ByteBuffer.allocate(SIZE);
    try {
      while (true) {
        channel.read(target.clear(), 0);
        started.countDown();
      }
    } catch (AsynchronousCloseException e) {
      // Closed in the middle: the buffer is as before.
      assertThat(target.position()).isZero();
      return e;
    } catch (IOException e) {
      return e;
    }
  }
}
