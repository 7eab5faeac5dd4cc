package io.jvfio.user;

import io.jvfio.linux.uapi.Vfio;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaMapMessage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Checks of features, of the migration and the logs that are among them, and of resets. */
final class FeatureChecks {
  private static final String FEATURE = "VFIO_USER_DEVICE_FEATURE";
  private static final String MIGRATION = "VFIO_DEVICE_FEATURE_MIGRATION";
  private static final String STATE = "VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE";
  private static final String LOGGING = "VFIO_DEVICE_FEATURE_DMA_LOGGING_START";
  private static final String REPORT = "VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT";
  private static final String RESET = "VFIO_USER_DEVICE_RESET";

  private static final int GET = Vfio.VFIO_DEVICE_FEATURE_GET;
  private static final int SET = Vfio.VFIO_DEVICE_FEATURE_SET;
  private static final int PROBE = Vfio.VFIO_DEVICE_FEATURE_PROBE;
  private static final int KNOWN_FEATURES = 12;
  private static final int UNKNOWN_FEATURE = 0xfffe;

  private static final int STOP = Vfio.VFIO_DEVICE_STATE_STOP;
  private static final int RUNNING = Vfio.VFIO_DEVICE_STATE_RUNNING;
  private static final int STOP_COPY = Vfio.VFIO_DEVICE_STATE_STOP_COPY;
  private static final int RESUMING = Vfio.VFIO_DEVICE_STATE_RESUMING;
  private static final int PRE_COPY = Vfio.VFIO_DEVICE_STATE_PRE_COPY;

  private static final int HEADER = 8;
  private static final int STATE_SIZE = HEADER + 8;
  private static final int PIECE = 64 << 10;
  private static final long MOST = 256 << 20;

  private static final long BASE = 0x4000_0000L;
  private static final long PAGE = 4096;
  private static final long LENGTH = 128 * PAGE;

  private FeatureChecks() {}

  static List<ConformanceCheck> all() {
    return List.of(
        new ConformanceCheck(
            "reset",
            "resets its device if it says that it can",
            RESET,
            "success without a payload",
            FeatureChecks::reset),
        new ConformanceCheck(
            "reset-keeps-connection",
            "goes on after a reset",
            RESET,
            "the same device, and memory that was given before",
            FeatureChecks::resetKeeps),
        new ConformanceCheck(
            "feature-probe",
            "answers probes of features",
            FEATURE,
            "the request as it came, or an error",
            FeatureChecks::probes),
        new ConformanceCheck(
            "feature-unknown",
            "refuses features that there are not",
            FEATURE,
            "an error",
            FeatureChecks::unknown),
        new ConformanceCheck(
            "feature-get-and-set",
            "refuses to get and set a feature at once",
            FEATURE,
            "an error",
            run ->
                run.refused(
                    run.open(),
                    Command.DEVICE_FEATURE,
                    feature(GET | SET | Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, new byte[8]))),
        new ConformanceCheck(
            "feature-no-action",
            "refuses to do nothing with a feature",
            FEATURE,
            "an error",
            run ->
                run.usuallyRefused(
                    run.open(),
                    Command.DEVICE_FEATURE,
                    feature(Vfio.VFIO_DEVICE_FEATURE_MIGRATION, new byte[8]))),
        new ConformanceCheck(
            "feature-argsz-small",
            "does not send more of a feature than there is room for",
            "Message sizes",
            "an error, or no more bytes than argsz",
            FeatureChecks::argszSmall),
        new ConformanceCheck(
            "migration-flags",
            "tells what its migration can",
            MIGRATION,
            "STOP_COPY at least",
            run ->
                PayloadReader.bits(
                        migrationFlags(run, run.open()), List.of("STOP_COPY", "P2P", "PRE_COPY"))
                    .text(true)),
        new ConformanceCheck(
            "migration-state",
            "tells the state of its device",
            STATE,
            "RUNNING",
            FeatureChecks::state),
        new ConformanceCheck(
            "migration-stop",
            "stops its device and lets it run again",
            STATE,
            "both states, as they are asked for afterwards",
            run -> walk(run, STOP, RUNNING)),
        new ConformanceCheck(
            "migration-copy",
            "gives its device's state and takes it back",
            "VFIO_USER_MIG_DATA_READ",
            "data with an end, which it takes in RESUMING",
            FeatureChecks::copy),
        new ConformanceCheck(
            "migration-pre-copy",
            "gives its device's state while that runs, if it says that it can",
            STATE,
            "PRE_COPY, and RUNNING after that",
            FeatureChecks::preCopy),
        new ConformanceCheck(
            "migration-stop-copy-to-pre-copy",
            "refuses to go from STOP_COPY to PRE_COPY",
            STATE,
            "an error",
            FeatureChecks::notBack),
        new ConformanceCheck(
            "migration-state-error",
            "refuses to go to ERROR",
            STATE,
            "an error",
            run -> refusedState(run, Vfio.VFIO_DEVICE_STATE_ERROR)),
        new ConformanceCheck(
            "migration-state-unknown",
            "refuses states that there are not",
            STATE,
            "an error",
            run -> refusedState(run, 0xabcd)),
        new ConformanceCheck(
            "migration-read-outside",
            "gives no migration data while its device runs",
            "VFIO_USER_MIG_DATA_READ",
            "an error",
            run ->
                run.refused(
                    run.open(),
                    Command.MIG_DATA_READ,
                    new PayloadWriter().u32(64).u32(16).toBytes())),
        new ConformanceCheck(
            "migration-write-outside",
            "takes no migration data while its device runs",
            "VFIO_USER_MIG_DATA_WRITE",
            "an error",
            run ->
                run.refused(
                    run.open(),
                    Command.MIG_DATA_WRITE,
                    new PayloadWriter().u32(24).u32(16).zeros(16).toBytes())),
        new ConformanceCheck(
            "logging",
            "logs DMA writes",
            LOGGING,
            "a bitmap of the range while it logs, and the end of that",
            FeatureChecks::logging),
        new ConformanceCheck(
            "logging-not-started",
            "reports nothing that it has not logged",
            REPORT,
            "an error",
            FeatureChecks::loggingNotStarted));
  }

  private static byte[] feature(int flags, byte... data) {
    return PayloadWriter.feature(HEADER + data.length, flags, data);
  }

  /** Whether a feature is there, as the server says when it is probed. */
  private static boolean has(WirePeer peer, int flags) {
    return !peer.call(Command.DEVICE_FEATURE, feature(flags | PROBE)).isError();
  }

  private static String reset(ConformanceRun run) {
    var peer = run.open();
    if (!run.device().canReset()) {
      var reply = peer.call(Command.DEVICE_RESET, new byte[0]);
      throw Verdict.skipped("the server says that it cannot, and answers " + reply.outcome());
    }
    var reply = run.succeeds(peer, Command.DEVICE_RESET, new byte[0]);
    if (reply.payloadSize() > 0) {
      throw Verdict.failed(reply.outcome());
    }
    return reply.outcome();
  }

  private static String resetKeeps(ConformanceRun run) {
    if (!run.device().canReset()) {
      throw Verdict.skipped("the server says that it cannot");
    }
    var peer = run.open();
    var before = run.read(peer, run.config().index(), 0, 4);
    run.succeeds(
        peer,
        Command.DMA_MAP,
        PayloadWriter.map(DmaMapMessage.READABLE | DmaMapMessage.WRITABLE, 0, BASE, LENGTH),
        peer.memory(LENGTH));
    run.succeeds(peer, Command.DEVICE_RESET, new byte[0]);
    var after = run.read(peer, run.config().index(), 0, 4);
    if (!Arrays.equals(before, after)) {
      throw Verdict.failed("another vendor and device");
    }
    run.succeeds(peer, Command.DMA_UNMAP, PayloadWriter.unmap(0, BASE, LENGTH));
    return "so";
  }

  private static String probes(ConformanceRun run) {
    var peer = run.open();
    var found = new ArrayList<String>();
    for (int i = 0; i < KNOWN_FEATURES; i++) {
      for (int action : new int[] {0, GET, SET}) {
        var payload = feature(i | action | PROBE);
        var reply = peer.call(Command.DEVICE_FEATURE, payload);
        if (reply.isError()) {
          continue;
        }
        var answered = new byte[reply.payloadSize()];
        reply.payload().get(answered);
        if (!Arrays.equals(answered, payload)) {
          throw Verdict.failed(
              "%s: [%s]"
                  .formatted(
                      MessageDecoder.featureName(i),
                      MessageText.dump(answered, 0, Math.min(answered.length, 32))));
        }
        if (action == 0) {
          found.add(MessageDecoder.featureName(i));
        }
      }
    }
    return found.isEmpty() ? "no feature" : String.join(", ", found);
  }

  private static String unknown(ConformanceRun run) {
    var peer = run.open();
    run.refused(peer, Command.DEVICE_FEATURE, feature(UNKNOWN_FEATURE | PROBE));
    run.refused(peer, Command.DEVICE_FEATURE, feature(UNKNOWN_FEATURE | GET, new byte[8]));
    return run.refused(peer, Command.DEVICE_FEATURE, feature(UNKNOWN_FEATURE | SET, new byte[8]));
  }

  private static String argszSmall(ConformanceRun run) {
    var peer = run.open();
    needsMigration(peer);
    var reply =
        peer.call(
            Command.DEVICE_FEATURE,
            PayloadWriter.feature(HEADER, GET | Vfio.VFIO_DEVICE_FEATURE_MIGRATION));
    if (!reply.isError() && reply.payloadSize() > HEADER) {
      throw Verdict.failed(
          "%s for an argsz of %d".formatted(MessageText.bytes(reply.payloadSize()), HEADER));
    }
    return reply.outcome();
  }

  private static void needsMigration(WirePeer peer) {
    if (!has(peer, GET | Vfio.VFIO_DEVICE_FEATURE_MIGRATION)) {
      throw Verdict.skipped("the device cannot be migrated");
    }
  }

  private static long migrationFlags(ConformanceRun run, WirePeer peer) {
    needsMigration(peer);
    var reply =
        run.succeeds(
            peer,
            STATE_SIZE,
            Command.DEVICE_FEATURE,
            PayloadWriter.feature(STATE_SIZE, GET | Vfio.VFIO_DEVICE_FEATURE_MIGRATION));
    long flags = reply.payload().getLong(HEADER);
    if ((flags & Vfio.VFIO_MIGRATION_STOP_COPY) == 0) {
      throw Verdict.failed("flags 0x%x".formatted(flags));
    }
    return flags;
  }

  private static int state(ConformanceRun run, WirePeer peer) {
    var reply =
        run.succeeds(
            peer,
            HEADER + Integer.BYTES,
            Command.DEVICE_FEATURE,
            PayloadWriter.feature(STATE_SIZE, GET | Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE));
    return reply.payload().getInt(HEADER);
  }

  private static String state(ConformanceRun run) {
    var peer = run.open();
    needsMigration(peer);
    int state = state(run, peer);
    if (state != RUNNING) {
      throw Verdict.failed(MessageDecoder.stateName(state));
    }
    return "RUNNING";
  }

  private static byte[] stateRequest(int state) {
    return feature(
        SET | Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
        new PayloadWriter().u32(state).u32(-1).toBytes());
  }

  private static void enter(ConformanceRun run, WirePeer peer, int state) {
    var reply = peer.call(Command.DEVICE_FEATURE, stateRequest(state));
    if (reply.isError()) {
      throw Verdict.failed(
          "%s on the way to %s".formatted(reply.outcome(), MessageDecoder.stateName(state)));
    }
    int now = state(run, peer);
    if (now != state) {
      throw Verdict.failed(
          "%s where %s was entered"
              .formatted(MessageDecoder.stateName(now), MessageDecoder.stateName(state)));
    }
  }

  /** The device is left running, whatever came of a check; a reset brings back one that failed. */
  private static void restore(WirePeer peer) {
    try {
      if (peer.call(Command.DEVICE_FEATURE, stateRequest(RUNNING)).isError()) {
        peer.call(Command.DEVICE_RESET, new byte[0]);
      }
    } catch (PeerException e) {
      // The check tells what became of the server.
    }
  }

  private static String walk(ConformanceRun run, int... states) {
    var peer = run.open();
    needsMigration(peer);
    try {
      var names = new ArrayList<String>();
      for (int state : states) {
        enter(run, peer, state);
        names.add(MessageDecoder.stateName(state));
      }
      return String.join(", ", names);
    } finally {
      restore(peer);
    }
  }

  private static List<byte[]> readAll(ConformanceRun run, WirePeer peer) {
    int piece = (int) Math.min(PIECE, run.hello().capabilities().maxDataTransfer());
    var pieces = new ArrayList<byte[]>();
    long total = 0;
    while (total < MOST) {
      var reply =
          run.succeeds(
              peer,
              HEADER,
              Command.MIG_DATA_READ,
              new PayloadWriter().u32(HEADER + piece).u32(piece).toBytes());
      int size = reply.payload().getInt(4);
      if (size < 0 || size > piece || reply.payloadSize() != HEADER + size) {
        throw Verdict.failed("size %d in %s".formatted(size, reply.outcome()));
      }
      var data = new byte[size];
      reply.payload().get(HEADER, data);
      if (size > 0) {
        pieces.add(data);
        total += size;
      }
      if (size < piece) {
        return pieces;
      }
    }
    throw Verdict.skipped("the state has more than " + MessageText.bytes(MOST));
  }

  private static String copy(ConformanceRun run) {
    var peer = run.open();
    needsMigration(peer);
    try {
      enter(run, peer, STOP_COPY);
      var pieces = readAll(run, peer);
      enter(run, peer, STOP);
      enter(run, peer, RESUMING);
      for (var piece : pieces) {
        run.succeeds(
            peer,
            Command.MIG_DATA_WRITE,
            new PayloadWriter()
                .u32(HEADER + piece.length)
                .u32(piece.length)
                .bytes(piece)
                .toBytes());
      }
      enter(run, peer, STOP);
      enter(run, peer, RUNNING);
      return MessageText.bytes(pieces.stream().mapToLong(piece -> piece.length).sum());
    } finally {
      restore(peer);
    }
  }

  private static String preCopy(ConformanceRun run) {
    var peer = run.open();
    if ((migrationFlags(run, peer) & Vfio.VFIO_MIGRATION_PRE_COPY) == 0) {
      throw Verdict.skipped("the device says that it cannot");
    }
    try {
      enter(run, peer, PRE_COPY);
      enter(run, peer, RUNNING);
      return "PRE_COPY, RUNNING";
    } finally {
      restore(peer);
    }
  }

  private static String notBack(ConformanceRun run) {
    var peer = run.open();
    needsMigration(peer);
    try {
      enter(run, peer, STOP_COPY);
      return run.refused(peer, Command.DEVICE_FEATURE, stateRequest(PRE_COPY));
    } finally {
      restore(peer);
    }
  }

  private static String refusedState(ConformanceRun run, int state) {
    var peer = run.open();
    needsMigration(peer);
    try {
      return run.refused(peer, Command.DEVICE_FEATURE, stateRequest(state));
    } finally {
      restore(peer);
    }
  }

  private static WirePeer withLog(ConformanceRun run) {
    var peer = run.open();
    if (!has(peer, SET | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START)) {
      throw Verdict.skipped("the device logs no DMA");
    }
    run.succeeds(
        peer,
        Command.DMA_MAP,
        PayloadWriter.map(DmaMapMessage.READABLE | DmaMapMessage.WRITABLE, 0, BASE, LENGTH),
        peer.memory(LENGTH));
    return peer;
  }

  private static byte[] report(int bitmap) {
    return PayloadWriter.feature(
        HEADER + 24 + bitmap,
        GET | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
        new PayloadWriter().u64(BASE).u64(LENGTH).u64(PAGE).toBytes());
  }

  private static byte[] control(int feature) {
    return feature(SET | feature, new PayloadWriter().u64(PAGE).u32(0).u32(0).toBytes());
  }

  private static String logging(ConformanceRun run) {
    var peer = withLog(run);
    int bitmap = (int) (LENGTH / PAGE / Byte.SIZE);
    run.succeeds(peer, Command.DEVICE_FEATURE, control(Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START));
    ByteBuffer reported;
    try {
      reported = run.succeeds(peer, Command.DEVICE_FEATURE, report(bitmap)).payload();
    } finally {
      peer.call(Command.DEVICE_FEATURE, control(Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP));
    }
    if (reported.remaining() != HEADER + 24 + bitmap) {
      throw Verdict.failed(
          "a report of %s where the bitmap alone has %s"
              .formatted(MessageText.bytes(reported.remaining()), MessageText.bytes(bitmap)));
    }
    var bits = reported.slice(HEADER + 24, bitmap).order(ByteOrder.nativeOrder());
    int dirty = 0;
    while (bits.hasRemaining()) {
      dirty += Long.bitCount(bits.getLong());
    }
    var reply = peer.call(Command.DEVICE_FEATURE, report(bitmap));
    if (!reply.isError()) {
      throw Verdict.failed("a report after the log was stopped");
    }
    return "%d pages of %d written".formatted(dirty, LENGTH / PAGE);
  }

  private static String loggingNotStarted(ConformanceRun run) {
    var peer = withLog(run);
    return run.refused(peer, Command.DEVICE_FEATURE, report((int) (LENGTH / PAGE / Byte.SIZE)));
  }
}
