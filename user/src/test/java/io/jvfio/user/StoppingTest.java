// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.model.DmaFaultException;
import io.jvfio.model.edu.EduModel;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MessageSocket;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.WriteMulti;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A server stops within two seconds, whatever its client does or leaves undone. */
@Timeout(60)
class StoppingTest {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();
  private static final Ioctl FIONBIO = new Ioctl("FIONBIO", 'T', 0x21);
  private static final int READ_WRITE = 3;

  @TempDir private @Nullable Path directory;

  private final ScriptedModel model = new ScriptedModel();
  private @Nullable Served served;

  @AfterEach
  void close() {
    if (served != null) {
      served.close();
    }
  }

  private Served serve() {
    served = new Served(model, Objects.requireNonNull(directory));
    return served;
  }

  private static void send(RawClient client, long value) {
    RegionAccess.REGION.set(client.out, 0);
    RegionAccess.OFFSET.set(client.out, 0);
    RegionAccess.COUNT.set(client.out, 4);
    client.out.set(ValueLayout.JAVA_INT, RegionAccess.BYTES, (int) value);
    client.call(Command.REGION_WRITE.number(), RegionAccess.BYTES + 4, Header.NO_REPLY);
  }

  @Test
  void withAClientThatDoesNotReadWhatItIsSent() throws Exception {
    var of = serve();
    try (var client = of.client()) {
      for (int i = 0; i < 4000; i++) {
        Header.write(
            client.out, i & 0xffff, Command.REGION_READ.number(), RegionAccess.BYTES, 0, 0);
        RegionAccess.REGION.set(client.out, RawClient.CONFIG);
        RegionAccess.OFFSET.set(client.out, 0);
        RegionAccess.COUNT.set(client.out, 256);
        if (KERNEL.isWritable(client.socket.fd())) {
          client.socket.send(client.out, RegionAccess.BYTES);
        }
      }
      Served.await(() -> !KERNEL.isWritable(client.socket.fd()));
      of.stop();
    }
  }

  @Test
  void withAClientThatDoesNotAnswerForItsMemory() throws Exception {
    var of = serve();
    model.onWrite = _ -> copy(false);
    try (var client = of.master()) {
      assertThat(client.map(0, 1 << 20, READ_WRITE)).isZero();
      send(client, 1);
      assertThat(client.receive()).isEqualTo(DmaAccessMessage.BYTES);
      of.stop();
    }
  }

  @Test
  void withAClientThatDoesNotAnswerForItsMemoryAtTheTwinSocket() throws Exception {
    var of = serve();
    model.onWrite = _ -> copy(false);
    try (var client = withTwin(of);
        var twin =
            new MessageSocket(UnixSocket.adopt(KERNEL, client.socket.takeFd(0)), 1 << 21, 0)) {
      prepare(client);
      send(client, 1);
      assertThat(twin.receive(true)).isEqualTo(DmaAccessMessage.BYTES);
      of.stop();
    }
  }

  /** It takes no more of it than the socket keeps. */
  @Test
  void withAClientThatDoesNotTakeItsMemoryAtTheTwinSocket() throws Exception {
    var of = serve();
    model.onWrite = _ -> copy(true);
    try (var client = withTwin(of);
        var twin = UnixSocket.adopt(KERNEL, client.socket.takeFd(0))) {
      prepare(client);
      send(client, 1);
      assertThat(KERNEL.awaitReadable(twin.fd(), 20_000)).isOne();
      of.stop();
    }
  }

  /** The device's own thread waits for memory, with the device. */
  @Test
  void withAClientThatDoesNotAnswerThePollingThread() throws Exception {
    var of = serve();
    model.onPoll =
        () -> {
          copy(false);
          return true;
        };
    try (var client = of.master()) {
      assertThat(client.map(0, 1 << 20, READ_WRITE)).isZero();
      model.requestPoll();
      assertThat(client.receive()).isEqualTo(DmaAccessMessage.BYTES);
      of.stop();
    }
  }

  private static RawClient withTwin(Served of) throws Exception {
    var client = new RawClient(of.path);
    assertThat(
            client.version(
                "{\"capabilities\":{\"max_msg_fds\":8,\"twin_socket\":{\"supported\":true}}}"))
        .isZero();
    assertThat(client.socket.fdCount()).isOne();
    return client;
  }

  private static void prepare(RawClient client) {
    assertThat(client.write(RawClient.CONFIG, 4, 2, 4)).isZero();
    assertThat(client.map(0, 1 << 20, READ_WRITE)).isZero();
  }

  /** Moves a megabyte, as often as that goes well. */
  private void copy(boolean toClient) {
    try (var arena = Arena.ofConfined()) {
      var memory = arena.allocate(1 << 20);
      if (toClient) {
        model.dma().write(0, memory);
      } else {
        model.dma().read(0, memory);
      }
    } catch (DmaFaultException e) {
      // What this is about.
    }
  }

  @Test
  void withAClientThatSaysNothing() throws Exception {
    var of = serve();
    try (var silent = new RawClient(of.path)) {
      of.stop();
      silent.assertSentAway();
    }
  }

  @Test
  void withAClientThatHasSentAPartOfItsFirstMessage() throws Exception {
    var of = serve();
    try (var client = new RawClient(of.path)) {
      client.socket.send(client.out, 5);
      of.stop();
      client.assertSentAway();
    }
  }

  @Test
  void withASecondClientThatHasSentAPartOfItsFirstMessage() throws Exception {
    var of = serve();
    try (var first = of.client();
        var second = new RawClient(of.path)) {
      second.socket.send(second.out, 5);
      assertThat(first.value(0, 0, 4)).isZero();
      of.stop();
      second.assertSentAway();
    }
  }

  @Test
  void withAClientThatHasSentAPartOfALongMessage() throws Exception {
    var of = serve();
    try (var client = of.client()) {
      Header.write(client.out, 1, Command.REGION_WRITE.number(), 1 << 20, 0, 0);
      client.socket.send(client.out, 1 << 10);
      of.stop();
      client.assertSentAway();
    }
  }

  /** Commands that are here already are not carried out any more. */
  @Test
  void withCommandsThatAreMuchWork() throws Exception {
    var of = serve();
    var begun = new CountDownLatch(1);
    var count = new AtomicInteger();
    model.onWrite =
        _ -> {
          begun.countDown();
          count.incrementAndGet();
          pause();
        };
    try (var client = of.client()) {
      for (int i = 0; i < 1000; i++) {
        send(client, i);
      }
      assertThat(begun.await(20, TimeUnit.SECONDS)).isTrue();
      of.stop();
      assertThat(count).hasValueLessThan(1000);
    }
  }

  /** So much that a thousand of them take longer than a server may. */
  private static void pause() {
    try {
      Thread.sleep(5);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void withOneCommandThatIsMuchWork() throws Exception {
    var of = serve();
    var begun = new CountDownLatch(1);
    model.onWrite =
        _ -> {
          begun.countDown();
          pause();
        };
    try (var client = of.client()) {
      int writes = 1000;
      WriteMulti.COUNT.set(client.out, writes);
      for (int i = 0; i < writes; i++) {
        WriteMulti.Entry.write(client.out, i, 0, 0, 4);
      }
      client.call(
          Command.REGION_WRITE_MULTI.number(),
          WriteMulti.BYTES + writes * WriteMulti.Entry.BYTES,
          Header.NO_REPLY);
      assertThat(begun.await(20, TimeUnit.SECONDS)).isTrue();
      of.stop();
    }
  }

  @Test
  void withADeviceThatAlwaysHasWork() throws Exception {
    var of = serve();
    model.onPoll = () -> true;
    try (var client = of.client()) {
      model.requestPoll();
      assertThat(client.value(0, 0, 4)).isZero();
      of.stop();
    }
  }

  @Test
  void withADeviceThatAlwaysHasWorkForAServerThatPolls() throws Exception {
    served =
        new Served(model, Objects.requireNonNull(directory), VfioUserServerOptions::withPolling);
    model.onPoll = () -> true;
    try (var client = served.client()) {
      assertThat(client.value(0, 0, 4)).isZero();
      served.stop();
    }
  }

  /**
   * A client fills an eventfd up at which a signal waits, and clears its O_NONBLOCK when it likes.
   */
  @Test
  void withEventfdsThatAreFull() throws Exception {
    var of = serve();
    int vectors = 16;
    var fds = new int[vectors];
    for (int i = 0; i < vectors; i++) {
      fds[i] = KERNEL.eventFd(0, Kernel.EFD_NONBLOCK);
    }
    model.onWrite =
        _ -> {
          for (int round = 0; round < 50; round++) {
            for (int i = 0; i < vectors; i++) {
              model.signal(i);
            }
          }
        };
    try (var client = of.master()) {
      assertThat(client.irqs(RawClient.EVENTFD | RawClient.TRIGGER, 2, 0, vectors, fds)).isZero();
      try (var arena = Arena.ofConfined()) {
        var most = arena.allocateFrom(ValueLayout.JAVA_LONG, -2);
        for (int fd : fds) {
          assertThat(KERNEL.write(fd, most)).isEqualTo(8);
          makeBlocking(fd);
        }
      }
      send(client, 1);
      Served.await(
          () ->
              Thread.getAllStackTraces().entrySet().stream()
                  .anyMatch(
                      each ->
                          each.getKey().getName().contains(of.path.toString())
                              && List.of(each.getValue()).toString().contains("signal")));
      of.stop();
    }
    for (int fd : fds) {
      KERNEL.close(fd);
    }
  }

  /** Has calls wait at an eventfd, from which its maker has kept them. */
  private static void makeBlocking(int fd) {
    try (var arena = Arena.ofConfined()) {
      assertThat(KERNEL.ioctl(fd, FIONBIO, arena.allocate(ValueLayout.JAVA_INT))).isZero();
    }
  }

  @Test
  void inOrder() throws Exception {
    var of = serve();
    var threads = new CopyOfThreads();
    var seen = new ArrayList<String>();
    model.onWrite = _ -> threads.add();
    model.onPoll =
        () -> {
          threads.add();
          return false;
        };
    model.onReset = () -> seen.add("reset");
    var isAlive = new AtomicBoolean();
    model.onClose =
        () -> {
          seen.add("close");
          isAlive.set(threads.areAlive());
          seen.add(Files.exists(of.path) ? "the socket is there" : "the socket is gone");
          assertThatThrownBy(() -> UnixSocket.connect(KERNEL, of.path.toString()))
              .hasMessageContaining("ECONNREFUSED");
        };
    try (var client = of.client()) {
      assertThat(client.write(0, 0, 4, 0)).isZero();
      model.requestPoll();
      Served.await(() -> threads.count() == 2);
      of.stop();
      client.assertSentAway();
    }
    assertThat(seen).containsExactly("reset", "close", "the socket is there");
    assertThat(isAlive).as("what works for a thread may go on until the device is closed").isTrue();
    assertThat(of.left).containsExactly("The server was closed.");
    assertThat(threads.areAlive()).isFalse();
  }

  /** The threads that a device has seen. */
  private static final class CopyOfThreads {
    private final List<Thread> all = new ArrayList<>();

    synchronized void add() {
      if (!all.contains(Thread.currentThread())) {
        all.add(Thread.currentThread());
      }
    }

    synchronized int count() {
      return all.size();
    }

    synchronized boolean areAlive() {
      return all.stream().allMatch(Thread::isAlive);
    }
  }

  @Test
  void oneThreadServesAllClients() throws Exception {
    var of = serve();
    var threads = new CopyOfThreads();
    model.onWrite = _ -> threads.add();
    for (int i = 1; i <= 3; i++) {
      try (var client = of.client()) {
        assertThat(client.write(0, 0, 4, 0)).isZero();
      }
      of.awaitLeft(i);
    }
    assertThat(threads.count()).isOne();
  }

  /** Whoever waits for the socket to go can take over what the device had. */
  @Test
  void givesItsSocketBackLastAndOnlyItsOwn() throws Exception {
    var of = serve();
    var successor = new AtomicReference<VfioUserServer>();
    model.onClose = () -> successor.set(VfioUserServer.serve(new EduModel(), of.path));
    of.server.close();
    try (var other = Objects.requireNonNull(successor.get());
        var client = RawClient.agreed(of.path)) {
      assertThat(client.value(0, 0, 4)).isEqualTo(0x0100_00edL);
      assertThat(other.clients()).isZero();
    }
    assertThat(of.path).doesNotExist();
  }

  @Test
  void leavesASocketListeningThatOthersGaveIt() throws Exception {
    var path = Objects.requireNonNull(directory).resolve("given.sock");
    try (var listening = UnixSocket.listen(KERNEL, path.toString(), 0600)) {
      for (int i = 0; i < 2; i++) {
        // As a server that systemd starts again and again has it: a number for the same socket.
        int given = duplicate(listening.fd());
        try (var server =
                VfioUserServer.serve(new EduModel(), VfioUserServerOptions.atDescriptor(given));
            var client = RawClient.agreed(path)) {
          assertThat(client.value(0, 0, 4)).isEqualTo(0x0100_00edL);
          assertThat(server.clients()).isZero();
        }
      }
    }
  }

  private static int duplicate(int fd) throws Exception {
    var pair = UnixSocket.pair(KERNEL);
    try (var from = pair.first();
        var to = pair.second();
        var arena = Arena.ofConfined()) {
      var taken = new int[1];
      from.send(arena.allocate(1), new int[] {fd}, 1);
      assertThat(to.receive(arena.allocate(1), taken)).isOne();
      return taken[0];
    }
  }

  @Test
  void fromWithinItsDevice() throws Exception {
    var of = serve();
    model.onPoll =
        () -> {
          of.server.close();
          return true;
        };
    try (var client = of.client()) {
      model.requestPoll();
      client.assertSentAway();
    }
    of.server.awaitClose();
    assertThat(of.path).doesNotExist();
  }

  @Test
  void evenIfTheDeviceCannotBeClosed() {
    var of = serve();
    model.onClose =
        () -> {
          throw new IllegalStateException("it cannot be flushed");
        };
    long before = SharedFile.openDescriptors();
    assertThatThrownBy(of.server::close).hasMessage("it cannot be flushed");
    assertThat(of.path).doesNotExist();
    assertThat(SharedFile.openDescriptors()).isLessThan(before);
  }
}
