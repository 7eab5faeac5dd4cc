// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingControl;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingReport;
import io.jvfio.linux.uapi.VfioDeviceFeatureMigState;
import io.jvfio.linux.uapi.VfioDeviceFeatureMigration;
import io.jvfio.user.peer.PeerException;
import io.jvfio.user.peer.WirePeer;
import io.jvfio.user.tools.MessageDecoder;
import io.jvfio.user.tools.MessageValue;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.FeatureMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.MessageText;
import io.jvfio.user.wire.MigrationData;
import io.jvfio.user.wire.Payload;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/** Checks of features, of the migration and the logs that are among them, and of resets. */
final class FeatureChecks {
  private static final String FEATURE = "VFIO_USER_DEVICE_FEATURE";
  private static final String MIGRATION = "VFIO_DEVICE_FEATURE_MIGRATION";
  private static final String STATE = "VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE";
  private static final String LOGGING = "VFIO_DEVICE_FEATURE_DMA_LOGGING_START";
  private static final String REPORT = "VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT";
  private static final String RESET = "VFIO_USER_DEVICE_RESET";
  private static final String SECURITY = "Security Considerations";

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
  private static final int STATE_SIZE = HEADER + (int) VfioDeviceFeatureMigState.BYTES;

  // The kernel's structs of these two end with a pointer; here what it points to follows.
  private static final int REPORT_SIZE = (int) VfioDeviceFeatureDmaLoggingReport.BITMAP.offset();
  private static final int CONTROL_SIZE = (int) VfioDeviceFeatureDmaLoggingControl.RANGES.offset();

  private static final int PIECE = 64 << 10;
  private static final long MOST = 256 << 20;
  private static final long MOST_SENT = 16 << 20;

  private static final long BASE = 0x4000_0000L;
  private static final long PAGE = 4096;
  private static final long LENGTH = 128 * PAGE;
  private static final int BITMAP = (int) (LENGTH / PAGE / Byte.SIZE);

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
            "feature-probe-argsz",
            "refuses probes that have less room than they are long",
            "Message sizes",
            "an error",
            FeatureChecks::probeArgsz),
        new ConformanceCheck(
            "feature-unsupported",
            "refuses to set what can only be got",
            FEATURE,
            "an error, also if that is probed",
            FeatureChecks::unsupported),
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
            "feature-set-argsz",
            "sets nothing of which there is no room for the answer",
            "Message sizes",
            "an error, and RUNNING as before",
            FeatureChecks::setArgsz),
        new ConformanceCheck(
            "migration-flags",
            "tells what its migration can",
            MIGRATION,
            "STOP_COPY at least",
            run ->
                MessageValue.Bits.of(
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
            run -> run.refused(run.open(), Command.MIG_DATA_READ, Payload.migrationData(64, 16))),
        new ConformanceCheck(
            "migration-write-outside",
            "takes no migration data while its device runs",
            "VFIO_USER_MIG_DATA_WRITE",
            "an error",
            run ->
                run.refused(
                    run.open(), Command.MIG_DATA_WRITE, Payload.migrationData(24, 16).zeros(16))),
        new ConformanceCheck(
            "migration-read-states",
            "gives no migration data in STOP and RESUMING",
            "VFIO_USER_MIG_DATA_READ",
            "an error in each",
            FeatureChecks::readStates),
        new ConformanceCheck(
            "migration-read-large",
            "refuses reads of more migration data than its client told as the limit",
            "VFIO_USER_MIG_DATA_READ",
            "an error",
            FeatureChecks::readLarge),
        new ConformanceCheck(
            "migration-write-large",
            "refuses more migration data at once than the limit that it told",
            "VFIO_USER_MIG_DATA_WRITE",
            "an error, or the end of the connection",
            FeatureChecks::writeLarge),
        new ConformanceCheck(
            "migration-data-short",
            "refuses messages of migration data that are too short",
            SECURITY,
            "an error for each",
            FeatureChecks::dataShort),
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
            FeatureChecks::loggingNotStarted),
        new ConformanceCheck(
            "logging-page-size",
            "refuses to log pages of a size that no pages have",
            LOGGING,
            "an error for 0 and for 4095",
            FeatureChecks::pageSizes),
        new ConformanceCheck(
            "logging-twice",
            "is not confused by a second start of its log",
            LOGGING,
            "success, or an error, and reports after that",
            FeatureChecks::loggingTwice),
        new ConformanceCheck(
            "logging-report-unknown",
            "reports no writes where no memory is",
            REPORT,
            "an error, or a bitmap without any bit",
            FeatureChecks::reportUnknown),
        new ConformanceCheck(
            "logging-argsz-small",
            "does not send more of a bitmap than there is room for",
            "Message sizes",
            "an error, or no more bytes than argsz",
            FeatureChecks::reportArgsz),
        new ConformanceCheck(
            "logging-unmap",
            "goes on with its log when some of the memory is given back",
            REPORT,
            "a bitmap of the memory that is left",
            FeatureChecks::loggingUnmap),
        new ConformanceCheck(
            "logging-forgotten",
            "ends its log when its client is gone",
            "Client Disconnection",
            "an error to a report, and success of a new start",
            FeatureChecks::loggingForgotten));
  }

  private static Payload feature(int flags, byte... data) {
    return Payload.feature(HEADER + data.length, flags).bytes(data);
  }

  /** Whether a feature is there, as the server says when it is probed. */
  private static boolean has(WirePeer peer, int flags) {
    return !peer.call(Command.DEVICE_FEATURE, feature(flags | PROBE)).isError();
  }

  private static String reset(ConformanceRun run) {
    var peer = run.open();
    if (!run.device().canReset()) {
      var reply = peer.call(Command.DEVICE_RESET, Payload.empty());
      throw Verdict.skipped("the server says that it cannot, and answers " + reply.outcome());
    }
    var reply = run.succeeds(peer, Command.DEVICE_RESET, Payload.empty());
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
        Payload.map(DmaMapMessage.READABLE | DmaMapMessage.WRITABLE, 0, BASE, LENGTH),
        peer.memory(LENGTH));
    run.succeeds(peer, Command.DEVICE_RESET, Payload.empty());
    var after = run.read(peer, run.config().index(), 0, 4);
    if (!Arrays.equals(before, after)) {
      throw Verdict.failed("another vendor and device");
    }
    run.succeeds(peer, Command.DMA_UNMAP, Payload.unmap(0, BASE, LENGTH));
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
        var answered = reply.from(Header.SIZE);
        if (!Arrays.equals(answered, payload.toBytes())) {
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
            Payload.feature(HEADER, GET | Vfio.VFIO_DEVICE_FEATURE_MIGRATION));
    if (!reply.isError() && reply.payloadSize() > HEADER) {
      throw Verdict.failed(
          "%s for an argsz of %d".formatted(MessageText.bytes(reply.payloadSize()), HEADER));
    }
    return reply.outcome();
  }

  /** A feature that is there, for what is wrong with all of them. */
  private static int someFeature(WirePeer peer) {
    for (int i = 0; i < KNOWN_FEATURES; i++) {
      if (has(peer, i)) {
        return i;
      }
    }
    throw Verdict.skipped("there are no features");
  }

  private static String probeArgsz(ConformanceRun run) {
    var peer = run.open();
    return run.usuallyRefused(
        peer, Command.DEVICE_FEATURE, Payload.feature(2, someFeature(peer) | PROBE));
  }

  private static String unsupported(ConformanceRun run) {
    var peer = run.open();
    needsMigration(peer);
    run.refused(
        peer,
        Command.DEVICE_FEATURE,
        feature(PROBE | GET | SET | Vfio.VFIO_DEVICE_FEATURE_MIGRATION));
    return run.refused(
        peer,
        Command.DEVICE_FEATURE,
        feature(SET | Vfio.VFIO_DEVICE_FEATURE_MIGRATION, new byte[8]));
  }

  private static String setArgsz(ConformanceRun run) {
    var peer = run.open();
    needsMigration(peer);
    try {
      var came = run.usuallyRefused(peer, Command.DEVICE_FEATURE, stateRequest(STOP, HEADER));
      int state = state(run, peer);
      if (state != RUNNING) {
        throw Verdict.failed(came + ", and " + MessageDecoder.stateName(state));
      }
      return came;
    } finally {
      restore(peer);
    }
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
            Payload.feature(STATE_SIZE, GET | Vfio.VFIO_DEVICE_FEATURE_MIGRATION));
    long flags = reply.get(VfioDeviceFeatureMigration.FLAGS, FeatureMessage.BYTES);
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
            Payload.feature(STATE_SIZE, GET | Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE));
    return reply.get(VfioDeviceFeatureMigState.DEVICE_STATE, FeatureMessage.BYTES);
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

  private static Payload stateRequest(int state) {
    return stateRequest(state, STATE_SIZE);
  }

  private static Payload stateRequest(int state, int argsz) {
    return Payload.feature(argsz, SET | Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE)
        .then(VfioDeviceFeatureMigState.STRUCT)
        .with(VfioDeviceFeatureMigState.DEVICE_STATE, state)
        .with(VfioDeviceFeatureMigState.DATA_FD, -1);
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
        peer.call(Command.DEVICE_RESET, Payload.empty());
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
      var reply = run.succeeds(peer, HEADER, Command.MIG_DATA_READ, readRequest(piece));
      int size = reply.get(MigrationData.SIZE);
      if (size < 0 || size > piece || reply.payloadSize() != HEADER + size) {
        throw Verdict.failed("size %d in %s".formatted(size, reply.outcome()));
      }
      var data = reply.from(MigrationData.BYTES);
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
        run.succeeds(peer, Command.MIG_DATA_WRITE, readRequest(piece.length).bytes(piece));
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

  private static Payload readRequest(int size) {
    return Payload.migrationData(HEADER + size, size);
  }

  private static Payload writeRequest(int size, int there) {
    return readRequest(size).zeros(there);
  }

  private static String readStates(ConformanceRun run) {
    var peer = run.open();
    needsMigration(peer);
    try {
      enter(run, peer, STOP);
      run.refused(peer, Command.MIG_DATA_READ, readRequest(16));
      enter(run, peer, RESUMING);
      return run.refused(peer, Command.MIG_DATA_READ, readRequest(16));
    } finally {
      restore(peer);
    }
  }

  private static String readLarge(ConformanceRun run) {
    int limit = 4096;
    var peer = run.open("{\"capabilities\":{\"max_data_xfer_size\":%d}}".formatted(limit));
    needsMigration(peer);
    try {
      enter(run, peer, STOP_COPY);
      return run.usuallyRefused(peer, Command.MIG_DATA_READ, readRequest(limit + 1));
    } finally {
      restore(peer);
    }
  }

  private static String writeLarge(ConformanceRun run) {
    long limit = run.hello().capabilities().maxDataTransfer();
    if (limit > MOST_SENT) {
      throw Verdict.skipped("the limit is " + MessageText.bytes(limit));
    }
    var peer = run.open();
    needsMigration(peer);
    try {
      enter(run, peer, RESUMING);
      int size = (int) limit + 1;
      int id = peer.command(Command.MIG_DATA_WRITE.number(), writeRequest(size, size));
      return run.refusedOrClosed(peer, id);
    } catch (PeerException e) {
      if (e.isGone()) {
        return e.getMessage(); // while the message was on its way
      }
      throw e;
    } finally {
      restore(peer);
    }
  }

  private static String dataShort(ConformanceRun run) {
    var peer = run.open();
    needsMigration(peer);
    try {
      enter(run, peer, STOP_COPY);
      run.refused(peer, Command.MIG_DATA_READ, readRequest(16).cutTo(HEADER - 1));
      enter(run, peer, RESUMING);
      run.refused(peer, Command.MIG_DATA_WRITE, writeRequest(0, 0).cutTo(HEADER - 1));
      run.refused(peer, Command.MIG_DATA_WRITE, writeRequest(16, 0));
      return run.refused(peer, Command.MIG_DATA_WRITE, writeRequest(16, 15));
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
        Payload.map(DmaMapMessage.READABLE | DmaMapMessage.WRITABLE, 0, BASE, LENGTH),
        peer.memory(LENGTH));
    return peer;
  }

  private static Payload report(int bitmap) {
    return report(BASE, bitmap);
  }

  private static Payload report(long address, int bitmap) {
    return Payload.feature(
            HEADER + REPORT_SIZE + bitmap, GET | Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT)
        .then(VfioDeviceFeatureDmaLoggingReport.STRUCT)
        .with(VfioDeviceFeatureDmaLoggingReport.IOVA, address)
        .with(VfioDeviceFeatureDmaLoggingReport.LENGTH, LENGTH)
        .with(VfioDeviceFeatureDmaLoggingReport.PAGE_SIZE, PAGE)
        .cutTo(HEADER + REPORT_SIZE);
  }

  private static Payload control(int feature) {
    return control(feature, PAGE);
  }

  private static Payload control(int feature, long pageSize) {
    return Payload.feature(HEADER + CONTROL_SIZE, SET | feature)
        .then(VfioDeviceFeatureDmaLoggingControl.STRUCT)
        .with(VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE, pageSize)
        .cutTo(HEADER + CONTROL_SIZE);
  }

  private static void start(ConformanceRun run, WirePeer peer) {
    run.succeeds(peer, Command.DEVICE_FEATURE, control(Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START));
  }

  private static void stop(WirePeer peer) {
    try {
      peer.call(Command.DEVICE_FEATURE, control(Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP));
    } catch (PeerException e) {
      // The check tells what became of the server.
    }
  }

  /** How many pages a report tells of. */
  private static int dirty(WirePeer.Message report) {
    if (report.payloadSize() != HEADER + REPORT_SIZE + BITMAP) {
      throw Verdict.failed(
          "a report of %s where the bitmap alone has %s"
              .formatted(MessageText.bytes(report.payloadSize()), MessageText.bytes(BITMAP)));
    }
    return BitSet.valueOf(report.from(FeatureMessage.BYTES + REPORT_SIZE)).cardinality();
  }

  private static String pageSizes(ConformanceRun run) {
    var peer = withLog(run);
    var came = "";
    try {
      for (int pageSize : new int[] {0, 4095}) {
        came =
            run.usuallyRefused(
                peer,
                Command.DEVICE_FEATURE,
                control(Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START, pageSize));
      }
    } finally {
      stop(peer);
    }
    return came;
  }

  private static String loggingTwice(ConformanceRun run) {
    var peer = withLog(run);
    start(run, peer);
    try {
      var again =
          peer.call(Command.DEVICE_FEATURE, control(Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START));
      dirty(run.succeeds(peer, Command.DEVICE_FEATURE, report(BITMAP)));
      return again.outcome();
    } finally {
      stop(peer);
    }
  }

  private static String reportUnknown(ConformanceRun run) {
    var peer = withLog(run);
    start(run, peer);
    try {
      var reply = peer.call(Command.DEVICE_FEATURE, report(BASE + 4 * LENGTH, BITMAP));
      int dirty = reply.isError() ? 0 : dirty(reply);
      if (dirty > 0) {
        throw Verdict.failed("%d pages where no memory is".formatted(dirty));
      }
      return reply.outcome();
    } finally {
      stop(peer);
    }
  }

  private static String reportArgsz(ConformanceRun run) {
    var peer = withLog(run);
    start(run, peer);
    try {
      int argsz = HEADER + REPORT_SIZE + BITMAP - 1;
      var reply = peer.call(Command.DEVICE_FEATURE, report(BITMAP - 1));
      if (!reply.isError() && reply.payloadSize() > argsz) {
        throw Verdict.failed("%s for an argsz of %d".formatted(reply.outcome(), argsz));
      }
      return reply.outcome();
    } finally {
      stop(peer);
    }
  }

  private static String loggingUnmap(ConformanceRun run) {
    var peer = withLog(run);
    long other = BASE + 2 * LENGTH;
    run.succeeds(
        peer,
        Command.DMA_MAP,
        Payload.map(DmaMapMessage.READABLE | DmaMapMessage.WRITABLE, 0, other, LENGTH),
        peer.memory(LENGTH));
    start(run, peer);
    try {
      run.succeeds(peer, Command.DMA_UNMAP, Payload.unmap(0, BASE, LENGTH));
      var gone = peer.call(Command.DEVICE_FEATURE, report(BITMAP));
      dirty(run.succeeds(peer, Command.DEVICE_FEATURE, report(other, BITMAP)));
      return "a bitmap, and %s for what was given back".formatted(gone.outcome());
    } finally {
      stop(peer);
    }
  }

  private static String loggingForgotten(ConformanceRun run) {
    var first = withLog(run);
    start(run, first);
    first.close();
    var second = withLog(run);
    try {
      // The device's state is kept for the next client; whether a log is part of it is not said.
      var came = run.usuallyRefused(second, Command.DEVICE_FEATURE, report(BITMAP));
      start(run, second);
      return came;
    } finally {
      stop(second);
    }
  }

  private static String logging(ConformanceRun run) {
    var peer = withLog(run);
    start(run, peer);
    WirePeer.Message reported;
    try {
      reported = run.succeeds(peer, Command.DEVICE_FEATURE, report(BITMAP));
    } finally {
      stop(peer);
    }
    int dirty = dirty(reported);
    var reply = peer.call(Command.DEVICE_FEATURE, report(BITMAP));
    if (!reply.isError()) {
      throw Verdict.failed("a report after the log was stopped");
    }
    return "%d pages of %d written".formatted(dirty, LENGTH / PAGE);
  }

  private static String loggingNotStarted(ConformanceRun run) {
    var peer = withLog(run);
    return run.refused(peer, Command.DEVICE_FEATURE, report(BITMAP));
  }
}
