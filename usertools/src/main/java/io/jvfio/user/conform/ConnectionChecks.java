// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.user.peer.PeerException;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.Payload;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;

/** Checks of connections that end, and of those that come after them. */
final class ConnectionChecks {
  private static final String DISCONNECTION = "Client Disconnection";
  private static final String SOCKET = "Socket";
  private static final long BASE = 0x4000_0000L;
  private static final long SIZE = 16 * 4096;
  private static final int MANY = 50;

  /** How long a second client is given to be served beside the first. */
  private static final Duration WHILE = Duration.ofSeconds(1);

  private ConnectionChecks() {}

  static List<ConformanceCheck> all() {
    return List.of(
        new ConformanceCheck(
            "connection-silent",
            "serves on after a client that said nothing",
            DISCONNECTION,
            "an answer to the next client",
            ConnectionChecks::silent),
        new ConformanceCheck(
            "connection-cut-header",
            "serves on after a client that ended within a header",
            DISCONNECTION,
            "an answer to the next client",
            run -> cut(run, 7)),
        new ConformanceCheck(
            "connection-cut-payload",
            "serves on after a client that ended within a payload",
            DISCONNECTION,
            "an answer to the next client",
            run -> cut(run, Header.SIZE + 5)),
        new ConformanceCheck(
            "connection-cut-reply",
            "serves on after a client that did not wait for its replies",
            DISCONNECTION,
            "an answer to the next client",
            ConnectionChecks::unheard),
        new ConformanceCheck(
            "connection-many",
            "serves many clients one after the other",
            DISCONNECTION,
            "an answer to each of %d".formatted(MANY),
            ConnectionChecks::many),
        new ConformanceCheck(
            "connection-maps-forgotten",
            "forgets memory when its client is gone",
            DISCONNECTION,
            "room for the same memory of the next client",
            ConnectionChecks::mapsForgotten),
        new ConformanceCheck(
            "connection-irqs-forgotten",
            "forgets eventfds when their client is gone",
            DISCONNECTION,
            "no signal by a trigger of the next client",
            ConnectionChecks::irqsForgotten),
        new ConformanceCheck(
            "connection-second",
            "keeps serving a client while another one comes",
            SOCKET,
            "the first one served; the second one served, refused, or served after the first",
            ConnectionChecks::second));
  }

  private static String silent(ConformanceRun run) {
    run.connect().close();
    run.isOfUse(run.open(), "a silent client");
    return "so";
  }

  private static String cut(ConformanceRun run, int length) {
    var peer = run.open();
    var message =
        ConformanceRun.message(1, Command.DEVICE_GET_INFO, Header.COMMAND, Payload.deviceInfo(16));
    peer.send(Arrays.copyOf(message, length));
    peer.close();
    run.isOfUse(run.open(), "a client that ended after %d bytes".formatted(length));
    return "so";
  }

  private static String unheard(ConformanceRun run) {
    var peer = run.open();
    for (int i = 0; i < MANY; i++) {
      peer.command(Command.DEVICE_GET_INFO.number(), Payload.deviceInfo(16));
    }
    peer.close();
    run.isOfUse(run.open(), "a client that did not wait");
    return "so";
  }

  private static String many(ConformanceRun run) {
    for (int i = 0; i < MANY; i++) {
      run.open().close();
    }
    return MANY + " clients";
  }

  private static String mapsForgotten(ConformanceRun run) {
    var payload = Payload.map(DmaMapMessage.READABLE | DmaMapMessage.WRITABLE, 0, BASE, SIZE);
    for (int i = 0; i < 2; i++) {
      var peer = run.open();
      var reply = peer.call(Command.DMA_MAP, payload, peer.memory(SIZE));
      if (reply.isError()) {
        throw Verdict.failed(
            "%s to the %s client".formatted(reply.outcome(), i == 0 ? "first" : "second"));
      }
      peer.close();
    }
    return "so";
  }

  private static String irqsForgotten(ConformanceRun run) {
    var irq = run.device().irq(1).orElseThrow(() -> Verdict.skipped("there are no interrupts"));
    // It must outlive the first client.
    int eventFd = run.kernel().eventFd(0, Kernel.EFD_NONBLOCK);
    try {
      var first = run.open();
      run.succeeds(
          first,
          Command.DEVICE_SET_IRQS,
          Payload.setIrqs(
              Vfio.VFIO_IRQ_SET_DATA_EVENTFD | Vfio.VFIO_IRQ_SET_ACTION_TRIGGER, irq.index(), 0, 1),
          eventFd);
      first.close();
      var second = run.open();
      second.call(
          Command.DEVICE_SET_IRQS,
          Payload.setIrqs(
              Vfio.VFIO_IRQ_SET_DATA_NONE | Vfio.VFIO_IRQ_SET_ACTION_TRIGGER, irq.index(), 0, 1));
      if (second.signals(eventFd, Duration.ZERO) > 0) {
        throw Verdict.failed("a signal to the first client's eventfd");
      }
      return "no signal";
    } finally {
      run.kernel().close(eventFd);
    }
  }

  private static String second(ConformanceRun run) {
    var first = run.open();
    var second = run.connectBeside();
    String came;
    int id;
    try {
      id = second.command(Command.VERSION.number(), ConformanceRun.version(0, 1, "{}"));
    } catch (PeerException e) {
      run.isOfUse(first, "a second client that is refused");
      return "refused: the server " + e.getMessage();
    }
    if (second.hears(WHILE)) {
      try {
        came = "served beside the first: " + second.reply(id).outcome();
      } catch (PeerException e) {
        came = "refused: the server " + e.getMessage();
      }
      run.isOfUse(first, came);
      return came;
    }
    run.isOfUse(first, "a second client that waits");
    first.close();
    try {
      second.reply(id);
    } catch (PeerException e) {
      if (!run.endsWithClients() || !e.isGone()) {
        throw e;
      }
      return "refused: the server ends with the first";
    }
    return "served after the first";
  }
}
