// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import io.jvfio.linux.uapi.Vfio;
import io.jvfio.user.peer.PeerException;
import io.jvfio.user.peer.WirePeer;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MessageText;
import io.jvfio.user.wire.Payload;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/** Checks of what all messages have in common. */
final class HeaderChecks {
  private static final String HEADER = "Header";
  private static final String CONCURRENCY = "Command Concurrency";
  private static final String SECURITY = "Security Considerations";
  private static final int MANY = 16;

  private HeaderChecks() {}

  static List<ConformanceCheck> all() {
    return List.of(
        new ConformanceCheck(
            "header-echo",
            "echoes id and command in replies",
            HEADER,
            "the same id and command, type reply, no error, and the size that came",
            HeaderChecks::echo),
        new ConformanceCheck(
            "header-in-flight",
            "answers several commands in flight in their order",
            CONCURRENCY,
            "replies in the order of the commands",
            HeaderChecks::inFlight),
        new ConformanceCheck(
            "header-same-id",
            "takes an id that is in flight already",
            HEADER,
            "a reply for each",
            HeaderChecks::sameId),
        new ConformanceCheck(
            "header-pieces",
            "puts headers together from pieces",
            HEADER,
            "an answer, though each byte comes by itself",
            run -> pieces(run, 0)),
        new ConformanceCheck(
            "header-payload-pieces",
            "puts payloads together from pieces",
            HEADER,
            "an answer, though each byte behind the header comes by itself",
            run -> pieces(run, Header.SIZE)),
        new ConformanceCheck(
            "header-together",
            "tells messages apart that come together",
            HEADER,
            "an answer for each",
            HeaderChecks::together),
        unknown(0),
        unknown(14),
        unknown(19),
        unknown(0xffff),
        new ConformanceCheck(
            "header-no-reply",
            "is silent where no reply is wanted",
            HEADER,
            "no reply, and the next one in its place",
            run -> quiet(run, Payload.deviceInfo(16))),
        new ConformanceCheck(
            "header-no-reply-error",
            "is silent about errors where no reply is wanted",
            HEADER,
            "no reply, and the next one in its place",
            run -> quiet(run, Payload.deviceInfo(0))),
        new ConformanceCheck(
            "header-error-size",
            "sends nothing but a header as an error",
            HEADER,
            "16 bytes with the flags of an error",
            HeaderChecks::errorSize),
        new ConformanceCheck(
            "header-reply-as-command",
            "is not confused by a reply to nothing",
            HEADER,
            "nothing, an error, or the end of the connection",
            run -> unsolicited(run, Header.REPLY)),
        new ConformanceCheck(
            "header-type-unknown",
            "is not confused by a message of no known type",
            HEADER,
            "nothing, an error, or the end of the connection",
            run -> unsolicited(run, 7)),
        new ConformanceCheck(
            "header-size-small",
            "refuses a size that no message has",
            SECURITY,
            "an error, or the end of the connection",
            HeaderChecks::sizeSmall),
        new ConformanceCheck(
            "header-size-huge",
            "refuses a message of 4 GiB",
            SECURITY,
            "an error, or the end of the connection",
            HeaderChecks::sizeHuge),
        new ConformanceCheck(
            "header-no-payload",
            "refuses commands whose payload is missing",
            SECURITY,
            "an error for each",
            HeaderChecks::noPayload),
        new ConformanceCheck(
            "header-short-payload",
            "refuses commands whose payload is too short",
            SECURITY,
            "an error for each",
            HeaderChecks::shortPayload),
        new ConformanceCheck(
            "header-cut-payload",
            "refuses commands whose payload lacks its last byte",
            SECURITY,
            "an error for each",
            HeaderChecks::cutPayload),
        new ConformanceCheck(
            "header-long-payload",
            "is not confused by a payload that is too long",
            "Message sizes",
            "an answer or an error, and the next answer in its place",
            HeaderChecks::longPayload),
        new ConformanceCheck(
            "header-stray-descriptors",
            "is not confused by descriptors where none belong",
            SECURITY,
            "an answer or an error",
            HeaderChecks::strayDescriptors));
  }

  private static ConformanceCheck unknown(int number) {
    return new ConformanceCheck(
        "header-unknown-" + number,
        "refuses command %d, which there is not".formatted(number),
        "Commands",
        "an error with the same id and command",
        run -> unknownCommand(run, number));
  }

  private static String echo(ConformanceRun run) {
    var peer = run.open();
    for (int id : new int[] {0, 1, 0x7fff, 0x8000, 0xffff}) {
      peer.send(
          ConformanceRun.message(
              id, Command.DEVICE_GET_INFO, Header.COMMAND, Payload.deviceInfo(16)));
      var reply = peer.reply(id);
      boolean isPlain =
          reply.command() == Command.DEVICE_GET_INFO.number()
              && reply.flags() == Header.REPLY
              && reply.errno() == 0;
      if (!isPlain) {
        throw Verdict.failed(
            "#%04x: command %d, flags 0x%x, error %d"
                .formatted(id, reply.command(), reply.flags(), reply.errno()));
      }
    }
    return "so";
  }

  private static String inFlight(ConformanceRun run) {
    var peer = run.open();
    List<Integer> asked = new ArrayList<>();
    for (int i = 0; i < MANY; i++) {
      asked.add(
          i % 2 == 0
              ? peer.command(Command.DEVICE_GET_INFO.number(), Payload.deviceInfo(16))
              : peer.command(
                  Command.DEVICE_GET_REGION_INFO.number(), Payload.regionInfo(32, i / 2)));
    }
    List<Integer> answered = new ArrayList<>();
    while (answered.size() < MANY) {
      var reply = peer.receive();
      if (reply.isReply()) {
        answered.add(reply.id());
      }
    }
    if (!answered.equals(asked)) {
      throw Verdict.failed("asked %s, answered %s".formatted(asked, answered));
    }
    return MANY + " replies in order";
  }

  private static String sameId(ConformanceRun run) {
    var peer = run.open();
    peer.send(
        ConformanceRun.message(5, Command.DEVICE_GET_INFO, Header.COMMAND, Payload.deviceInfo(16)));
    peer.send(
        ConformanceRun.message(
            5, Command.DEVICE_GET_IRQ_INFO, Header.COMMAND, Payload.irqInfo(16, 0)));
    var first = peer.reply(5);
    var second = peer.reply(5);
    if (first.command() != Command.DEVICE_GET_INFO.number()
        || second.command() != Command.DEVICE_GET_IRQ_INFO.number()) {
      throw Verdict.failed(
          "replies to commands %d and %d".formatted(first.command(), second.command()));
    }
    return "two replies";
  }

  private static String pieces(ConformanceRun run, int first) {
    var peer = run.open();
    var message =
        ConformanceRun.message(9, Command.DEVICE_GET_INFO, Header.COMMAND, Payload.deviceInfo(16));
    WirePeer.Message reply;
    try {
      peer.send(Arrays.copyOf(message, first));
      for (int i = first; i < message.length; i++) {
        peer.send(new byte[] {message[i]});
      }
      reply = peer.reply(9);
    } catch (PeerException e) {
      // A stream may have pieces; the specification says nothing of that, and no peer sends any.
      if (e.isGone()) {
        throw Verdict.differs(e.getMessage());
      }
      throw e;
    }
    if (reply.isError()) {
      throw Verdict.differs(reply.outcome());
    }
    return reply.outcome();
  }

  private static String together(ConformanceRun run) {
    var peer = run.open();
    var info = Payload.deviceInfo(16);
    var messages = Payload.empty();
    for (int id = 1; id <= MANY; id++) {
      messages.bytes(ConformanceRun.message(id, Command.DEVICE_GET_INFO, Header.COMMAND, info));
    }
    peer.send(messages.toBytes());
    for (int id = 1; id <= MANY; id++) {
      var reply = peer.reply(id);
      if (reply.isError()) {
        throw Verdict.failed("%s to message %d of %d".formatted(reply.outcome(), id, MANY));
      }
    }
    return MANY + " replies";
  }

  private static String unknownCommand(ConformanceRun run, int number) {
    var peer = run.open();
    int id = peer.command(number, Payload.empty().zeros(16));
    WirePeer.Message reply;
    try {
      reply = peer.reply(id);
    } catch (PeerException e) {
      if (e.isGone()) {
        throw Verdict.differs(e.getMessage());
      }
      throw e;
    }
    if (!reply.isError() || reply.command() != number) {
      throw Verdict.failed("%s to command %d".formatted(reply.outcome(), reply.command()));
    }
    run.isOfUse(peer, reply.outcome());
    return reply.outcome();
  }

  private static String quiet(ConformanceRun run, Payload payload) {
    var peer = run.open();
    peer.send(ConformanceRun.quiet(77, Command.DEVICE_GET_INFO, payload));
    run.isOfUse(peer, "silence");
    return "silence";
  }

  private static String errorSize(ConformanceRun run) {
    var peer = run.open();
    var reply = peer.call(Command.DEVICE_GET_REGION_INFO, Payload.regionInfo(32, 9999));
    if (!reply.isError()) {
      throw Verdict.skipped("region 9999 is described");
    }
    if (reply.payloadSize() > 0 || reply.flags() != (Header.REPLY | Header.ERROR)) {
      throw Verdict.failed(
          "%s with a payload of %s and flags 0x%x"
              .formatted(reply.outcome(), MessageText.bytes(reply.payloadSize()), reply.flags()));
    }
    if (reply.errno() == 0) {
      throw Verdict.differs("no errno");
    }
    return reply.outcome();
  }

  /**
   * A message that nobody needs to answer; whether there is an answer shows before the next one.
   */
  private static String unsolicited(ConformanceRun run, int type) {
    var peer = run.open();
    peer.send(ConformanceRun.message(77, Command.DEVICE_GET_INFO, type, Payload.deviceInfo(16)));
    String came;
    try {
      int id = peer.command(Command.DEVICE_GET_INFO.number(), Payload.deviceInfo(16));
      var reply = peer.receive();
      if (reply.id() == id) {
        came = "nothing";
      } else if (reply.isError()) {
        came = reply.outcome();
        var next = peer.receive();
        if (next.id() != id) {
          throw Verdict.failed(
              "%s, and then %s to #%04x, which is in its payload"
                  .formatted(came, next.outcome(), next.id()));
        }
      } else {
        throw Verdict.failed(reply.outcome());
      }
    } catch (PeerException e) {
      if (!e.isGone()) {
        throw e;
      }
      return e.getMessage();
    }
    run.isOfUse(peer, came);
    return came;
  }

  private static String sizeSmall(ConformanceRun run) {
    var came = new ArrayList<String>();
    for (int size : new int[] {0, 1, Header.SIZE - 1}) {
      var peer = run.open();
      peer.send(Payload.empty().message(3, Command.DEVICE_RESET.number(), Header.COMMAND, size));
      came.add("%d: %s".formatted(size, run.refusedOrClosed(peer, 3)));
    }
    return String.join(", ", came);
  }

  private static String sizeHuge(ConformanceRun run) {
    var peer = run.open();
    peer.send(
        Payload.empty().message(3, Command.REGION_WRITE.number(), Header.COMMAND, 0xffff_ffffL));
    return run.refusedOrClosed(peer, 3);
  }

  private static final List<Command> WITH_PAYLOAD =
      List.of(
          Command.DMA_MAP,
          Command.DMA_UNMAP,
          Command.DEVICE_GET_INFO,
          Command.DEVICE_GET_REGION_INFO,
          Command.DEVICE_GET_REGION_IO_FDS,
          Command.DEVICE_GET_IRQ_INFO,
          Command.DEVICE_SET_IRQS,
          Command.REGION_READ,
          Command.REGION_WRITE,
          Command.DEVICE_FEATURE,
          Command.MIG_DATA_READ,
          Command.MIG_DATA_WRITE);

  private static String noPayload(ConformanceRun run) {
    return refusedEach(run, 0);
  }

  private static String shortPayload(ConformanceRun run) {
    return refusedEach(run, 4);
  }

  private static String refusedEach(ConformanceRun run, int size) {
    return refusedEach(
        run,
        _ -> {
          var payload = new byte[size];
          Arrays.fill(payload, (byte) 1);
          return Payload.of(payload);
        });
  }

  private static String cutPayload(ConformanceRun run) {
    return refusedEach(
        run,
        command -> {
          var whole = wholePayload(command);
          return whole.cutTo(whole.size() - 1);
        });
  }

  /** What a command has at least, and what could be meant. */
  private static Payload wholePayload(Command command) {
    return switch (command) {
      case DMA_MAP -> Payload.map(DmaMapMessage.READABLE, 0, 0x4000_0000L, 4096);
      case DMA_UNMAP -> Payload.unmap(0, 0x4000_0000L, 4096);
      case DEVICE_GET_INFO -> Payload.deviceInfo(16);
      case DEVICE_GET_REGION_INFO -> Payload.regionInfo(32, DeviceFacts.CONFIG);
      case DEVICE_GET_IRQ_INFO -> Payload.irqInfo(16, 0);
      case DEVICE_SET_IRQS ->
          Payload.setIrqs(Vfio.VFIO_IRQ_SET_DATA_NONE | Vfio.VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, 0);
      case REGION_READ -> Payload.access(0, DeviceFacts.CONFIG, 4);
      case REGION_WRITE -> Payload.access(0x3c, DeviceFacts.CONFIG, 0);
      case DEVICE_FEATURE ->
          Payload.feature(8, Vfio.VFIO_DEVICE_FEATURE_PROBE | Vfio.VFIO_DEVICE_FEATURE_MIGRATION);
      default -> Payload.of(command.struct());
    };
  }

  private static String refusedEach(ConformanceRun run, Function<Command, Payload> payloads) {
    var peer = run.open();
    var taken = new ArrayList<String>();
    var errors = new ArrayList<String>();
    for (var command : WITH_PAYLOAD) {
      var reply = peer.call(command, payloads.apply(command));
      if (!reply.isError()) {
        taken.add(command.name());
      } else if (!errors.contains(reply.outcome())) {
        errors.add(reply.outcome());
      }
    }
    if (!taken.isEmpty()) {
      throw Verdict.failed("success of " + String.join(", ", taken));
    }
    run.isOfUse(peer, "errors");
    return String.join(", ", errors);
  }

  private static String longPayload(ConformanceRun run) {
    var peer = run.open();
    var payload = Payload.deviceInfo(16).zeros(64);
    var reply = peer.call(Command.DEVICE_GET_INFO, payload);
    run.isOfUse(peer, reply.outcome());
    return reply.outcome();
  }

  private static String strayDescriptors(ConformanceRun run) {
    var peer = run.open();
    var reply = peer.call(Command.DEVICE_GET_INFO, Payload.deviceInfo(16), peer.eventFd());
    run.isOfUse(peer, reply.outcome());
    return reply.outcome();
  }
}
