// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.user.RawClient;
import io.jvfio.user.ScriptedModel;
import io.jvfio.user.Served;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MessageSocket;
import io.jvfio.user.wire.VersionMessage;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Who gets in, who is refused, and who costs the others nothing. */
@Timeout(120)
class ReceptionTest {
  @TempDir private @Nullable Path directory;

  private final ScriptedModel model = new ScriptedModel();
  private @Nullable Served served;

  @AfterEach
  void close() {
    if (served != null) {
      served.close();
    }
  }

  private Served serve(Duration patience) {
    served =
        new Served(
            model, Objects.requireNonNull(directory), options -> options.withPatience(patience));
    return served;
  }

  @Test
  void everybodyOfABurstIsAnswered() throws Exception {
    var of = serve(Duration.ofSeconds(10));
    try (var present = of.client();
        var threads = Executors.newFixedThreadPool(100)) {
      long start = System.nanoTime();
      List<Future<Integer>> answers = new ArrayList<>();
      for (int i = 0; i < 100; i++) {
        answers.add(
            threads.submit(
                () -> {
                  try (var client = connect(of)) {
                    return version(client);
                  }
                }));
      }
      for (var each : answers) {
        assertThat(each.get()).isEqualTo(Errno.EBUSY.number());
      }
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(20));
      assertThat(present.value(0, 0, 4)).isZero();
    }
  }

  @Test
  void whoComesWhileTheLastOneGoesIsServed() throws Exception {
    var of = serve(Duration.ofSeconds(10));
    for (int i = 1; i <= 20; i++) {
      var first = of.client();
      try (var second = new RawClient(of.path)) {
        // It speaks before the server knows that the first one goes.
        var version = Executors.newSingleThreadExecutor();
        var answer = version.submit(() -> second.version("{}"));
        first.close();
        assertThat(answer.get()).isZero();
        version.close();
      }
      of.awaitLeft(2 * i);
    }
  }

  @Test
  void whoSaysNothingKeepsNobodyFromTheDevice() throws Exception {
    var of = serve(Duration.ofSeconds(60));
    List<MessageSocket> silent = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      silent.add(connect(of));
    }
    try (var client = of.client()) {
      assertThat(client.value(0, 0, 4)).isZero();
    }
    of.awaitLeft(1);
    // There are more than are waited for, and the last of them is.
    assertThat(silent.getFirst().receive(true)).isLessThanOrEqualTo(0);
    assertThat(version(silent.getLast())).isZero();
    of.stop();
    silent.forEach(MessageSocket::close);
  }

  /** A client with little memory of its own. */
  private static MessageSocket connect(Served of) throws Exception {
    return new MessageSocket(
        UnixSocket.connect(LinuxKernel.instance(), of.path.toString()), 4096, 1, 20_000);
  }

  /** Says which version it speaks: 0, or the errno of the answer. */
  private static int version(MessageSocket client) {
    try (var arena = Arena.ofConfined()) {
      var message = arena.allocate(VersionMessage.BYTES, 8);
      Header.writeCommand(message, 1, Command.VERSION, VersionMessage.BYTES);
      VersionMessage.MAJOR.set(message, (short) 0);
      VersionMessage.MINOR.set(message, (short) 1);
      assertThat(client.send(message, VersionMessage.BYTES)).isZero();
      assertThat(client.receiveInTime()).isPositive();
      assertThat(Header.isReply(client.message())).isTrue();
      return Header.isError(client.message()) ? Header.error(client.message()) : 0;
    }
  }

  /** A byte every now and then makes no first message, however long that goes on. */
  @Test
  void whoSpeaksSlowlyIsSentAwayInTime() throws Exception {
    var of = serve(Duration.ofSeconds(1));
    long start = System.nanoTime();
    var ends = new AtomicBoolean();
    try (var slow = new RawClient(of.path)) {
      var sender = Thread.ofPlatform().start(() -> dribble(slow, ends));
      slow.assertSentAway();
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(4));
      ends.set(true);
      sender.join();
    }
    try (var next = of.client()) {
      assertThat(next.value(0, 0, 4)).isZero();
    }
  }

  /** Nor does it make a message of another kind. */
  @Test
  void whoSpeaksSlowlyLaterIsSentAwayInTime() throws Exception {
    var of = serve(Duration.ofSeconds(1));
    var ends = new AtomicBoolean();
    try (var slow = of.client()) {
      long start = System.nanoTime();
      var sender = Thread.ofPlatform().start(() -> dribble(slow, ends));
      slow.assertSentAway();
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(4));
      ends.set(true);
      sender.join();
    }
    assertThat(of.awaitLeft(1)).isEqualTo("It began a message and did not end it.");
  }

  /** Sends a byte of a long message every 100 ms. */
  private static void dribble(RawClient client, AtomicBoolean ends) {
    Header.write(client.out, 1, 1, 4000, 0, 0);
    for (int i = 0; i < 300 && !ends.get(); i++) {
      if (client.socket.send(client.out.asSlice(i), 1) < 0) {
        return;
      }
      try {
        Thread.sleep(100);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  @Test
  void aConnectionThatComesToNothingIsNoAffairOfTheDevice() throws Exception {
    var of = serve(Duration.ofSeconds(10));
    var isReset = new AtomicBoolean();
    model.onReset = () -> isReset.set(true);
    for (int i = 0; i < 5; i++) {
      new RawClient(of.path).close(); // as somebody does who only wants to know who listens
      try (var stranger = new RawClient(of.path)) {
        assertThat(stranger.read(RawClient.CONFIG, 0, 4)).isEqualTo(Errno.EINVAL.number());
        stranger.assertSentAway();
      }
    }
    assertThat(isReset).isFalse();
    of.client().close();
    of.awaitLeft(1);
    assertThat(isReset).isTrue();
  }

  /** Of several that wait for a client all but one find nobody there any more. */
  @Test
  void whoseSocketOthersHaveEndsWhenItIsTold() throws Exception {
    var path = Objects.requireNonNull(directory).resolve("shared.sock").toString();
    try (var listening = UnixSocket.listen(LinuxKernel.instance(), path, 0600)) {
      var reception = new Reception(listening, false, "shared", 10_000_000_000L, () -> {});
      reception.start();
      var isOver = new AtomicBoolean();
      var other = Thread.ofPlatform().daemon().start(() -> acceptUntil(isOver, listening));
      for (int i = 0; i < 200; i++) {
        UnixSocket.connect(LinuxKernel.instance(), path).close();
      }
      var closing = Thread.ofPlatform().daemon().start(reception::close);
      closing.join(Duration.ofSeconds(20));

      assertThat(closing.isAlive()).as("it waits for a client that another one has").isFalse();

      isOver.set(true);
      UnixSocket.connect(LinuxKernel.instance(), path).close();
      other.join();
    }
  }

  /** Whoever was there a moment ago may be another one's by now. */
  @Test
  void nobodyIsWaitedForAtASocketThatOthersHave() throws Exception {
    var path = Objects.requireNonNull(directory).resolve("shared.sock").toString();
    try (var listening = UnixSocket.listen(LinuxKernel.instance(), path, 0600);
        var _ = new Reception(listening, false, "shared", 10_000_000_000L, () -> {})) {
      var isTooLate = new AtomicBoolean();
      var accepting =
          Thread.ofPlatform()
              .daemon()
              .start(
                  () -> {
                    try {
                      listening.accept().close();
                    } catch (ErrnoException e) {
                      isTooLate.set(e.errno().equals(Errno.EAGAIN));
                    }
                  });
      accepting.join(Duration.ofSeconds(5));

      assertThat(isTooLate).isTrue();
    }
  }

  private static void acceptUntil(AtomicBoolean isOver, UnixSocket listening) {
    while (!isOver.get()) {
      try {
        listening.accept().close();
      } catch (ErrnoException e) {
        assertThat(e.errno()).as("nobody came in time").isEqualTo(Errno.EAGAIN);
      }
    }
  }
}
