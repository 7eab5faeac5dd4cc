// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.UnixSocket;
import io.jvfio.user.peer.PeerException;
import io.jvfio.user.peer.WirePeer;
import io.jvfio.user.tools.MessageDecoder;
import io.jvfio.user.wire.Capabilities;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DeviceInfoMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.IrqInfoMessage;
import io.jvfio.user.wire.MalformedMessageException;
import io.jvfio.user.wire.MessageText;
import io.jvfio.user.wire.Payload;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.RegionInfoMessage;
import io.jvfio.user.wire.VersionMessage;
import java.io.Serial;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What checks need of a run: connections, what is known of the server, and judgement. */
final class ConformanceRun {
  /** What says a client that takes everything there is, but no twin socket. */
  static final String HELLO =
      "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576,\"max_dma_maps\":65535,"
          + "\"pgsizes\":4096,\"write_multiple\":true}}";

  private static final int DEVICE_INFO_SIZE = 16;
  private static final int REGION_INFO_SIZE = 32;
  private static final int MANY_REGIONS = 64;
  private static final int MANY_IRQS = 16;

  private final Kernel kernel;
  private final String path;
  private final ConformanceOptions options;
  private final List<WirePeer> peers = new ArrayList<>();
  private @Nullable DeviceFacts device;
  private @Nullable Hello hello;
  private boolean wasDown;
  private boolean endsWithClients;

  ConformanceRun(Kernel kernel, String path, ConformanceOptions options) {
    this.kernel = kernel;
    this.path = path;
    this.options = options;
  }

  /**
   * What a server said of itself.
   *
   * @param major version
   * @param minor version
   * @param json of its capabilities; empty if there is none
   * @param capabilities what they mean
   */
  record Hello(int major, int minor, String json, Capabilities capabilities) {}

  /** What makes the system calls. */
  Kernel kernel() {
    return kernel;
  }

  ConformanceOptions options() {
    return options;
  }

  /** Whether the server was not there for a while since this was asked last. */
  boolean wasDown() {
    boolean was = wasDown;
    wasDown = false;
    return was;
  }

  /**
   * A connection without a word said. It is the only one: a server may serve one client at a time,
   * and it counts as gone once its connection is closed.
   */
  WirePeer connect() {
    closePeers();
    if (endsWithClients) {
      // Whoever connects to one that is about to end is not served.
      pause();
    }
    return connectBeside();
  }

  private static void pause() {
    try {
      Thread.sleep(WirePeer.MOMENT);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** A connection beside those that there are. */
  WirePeer connectBeside() {
    UnixSocket socket;
    try {
      socket = WirePeer.connectOnce(kernel, path, options.patience());
    } catch (ErrnoException e) {
      if (e.errno().equals(Errno.EAGAIN)) {
        throw new UnacceptedException();
      }
      wasDown = true;
      try {
        socket = WirePeer.connect(kernel, path, options.patience());
      } catch (ErrnoException again) {
        throw again.errno().equals(Errno.EAGAIN)
            ? new UnacceptedException()
            : new PeerException(true, "is not there (" + again.errno() + ")");
      }
    }
    var peer = new WirePeer(socket, options.patience());
    peers.add(peer);
    return peer;
  }

  /** A connection with versions exchanged, as all checks need it that are not about that. */
  WirePeer open() {
    var peer = connect();
    var reply = peer.call(Command.VERSION, version(0, 1, HELLO));
    if (reply.isError()) {
      throw Verdict.failed("VERSION: " + reply.outcome());
    }
    if (hello == null) {
      hello = hello(reply);
    }
    return peer;
  }

  /** A connection of a client that says something else of itself than others do. */
  WirePeer open(String json) {
    var peer = connect();
    succeeds(peer, Command.VERSION, version(0, 1, json));
    return peer;
  }

  static Payload version(int major, int minor, String json) {
    return Payload.version(major, minor, (json + "\0").getBytes(StandardCharsets.UTF_8));
  }

  /** What a reply to VERSION says. */
  static Hello hello(WirePeer.Message reply) {
    if (reply.bytes().length < VersionMessage.BYTES) {
      throw Verdict.failed("a VERSION of " + MessageText.bytes(reply.payloadSize()));
    }
    int major = reply.get(VersionMessage.MAJOR);
    int minor = reply.get(VersionMessage.MINOR);
    var bytes = reply.from(VersionMessage.BYTES);
    if (bytes.length == 0) {
      return new Hello(major, minor, "", Capabilities.DEFAULTS);
    }
    if (bytes[bytes.length - 1] != 0) {
      throw Verdict.failed("capabilities without a NUL at their end");
    }
    bytes = Arrays.copyOf(bytes, bytes.length - 1);
    try {
      return new Hello(
          major, minor, new String(bytes, StandardCharsets.UTF_8), Capabilities.parse(bytes));
    } catch (MalformedMessageException e) {
      throw Verdict.failed(e.what());
    }
  }

  /** A server listens, but takes no connection for as long as it was waited for. */
  private static final class UnacceptedException extends PeerException {
    @Serial private static final long serialVersionUID = 1;

    UnacceptedException() {
      super(false, "takes no connection, though it listens");
    }
  }

  /** What a server is like after a check. */
  enum After {
    /** It serves the next connection. */
    THERE,
    /** It ended, and serves again. */
    RESTARTED,
    /** It takes a connection and says nothing. */
    SILENT,
    /** It listens, and takes no connection. */
    BUSY,
    /** It ended. */
    GONE
  }

  /** Whether the server serves a new connection; waits for one that ended to be there again. */
  After isThere() {
    long end = System.nanoTime() + options.patience().toNanos();
    while (true) {
      try {
        open();
        return wasDown() ? After.RESTARTED : After.THERE;
      } catch (UnacceptedException e) {
        return After.BUSY; // which was waited for already
      } catch (PeerException | Verdict e) {
        // One that ends resets whom it has not accepted yet; that is no answer.
        if (System.nanoTime() - end >= 0) {
          return wasDown() ? After.GONE : After.SILENT;
        }
        wasDown |= e instanceof PeerException gone && gone.isGone();
      } finally {
        closePeers();
      }
    }
  }

  /** Asks the server for what checks have to know of it, before the first one. */
  void ask() {
    device = describe(open());
    closePeers();
    endsWithClients = isThere() == After.RESTARTED;
  }

  /** Whether the server ends whenever a client goes, which it may, and is started again. */
  boolean endsWithClients() {
    return endsWithClients;
  }

  /** What the server said of itself, if it did. */
  Optional<Hello> told() {
    return Optional.ofNullable(hello);
  }

  /** What the server said of itself. */
  Hello hello() {
    if (hello == null) {
      throw Verdict.skipped("no version was agreed on");
    }
    return hello;
  }

  /** What the server says that its device has. */
  DeviceFacts device() {
    if (device == null) {
      throw Verdict.skipped("the device cannot be described");
    }
    return device;
  }

  private static DeviceFacts describe(WirePeer peer) {
    var info = peer.call(Command.DEVICE_GET_INFO, Payload.deviceInfo(DEVICE_INFO_SIZE));
    if (info.isError() || info.payloadSize() < DEVICE_INFO_SIZE) {
      throw Verdict.skipped("the device cannot be described: " + info.outcome());
    }
    int flags = info.get(DeviceInfoMessage.FLAGS);
    int regionCount = info.get(DeviceInfoMessage.NUM_REGIONS);
    int irqCount = info.get(DeviceInfoMessage.NUM_IRQS);
    var regions = new ArrayList<DeviceFacts.Region>();
    for (int i = 0; i < Math.clamp(regionCount, 0, MANY_REGIONS); i++) {
      var region =
          peer.call(Command.DEVICE_GET_REGION_INFO, Payload.regionInfo(REGION_INFO_SIZE, i));
      if (!region.isError() && region.payloadSize() >= REGION_INFO_SIZE) {
        regions.add(
            new DeviceFacts.Region(
                i,
                region.get(RegionInfoMessage.FLAGS),
                region.get(RegionInfoMessage.SIZE),
                region.get(RegionInfoMessage.ARGSZ)));
      }
    }
    var irqs = new ArrayList<DeviceFacts.Irq>();
    for (int i = 0; i < Math.clamp(irqCount, 0, MANY_IRQS); i++) {
      var irq = peer.call(Command.DEVICE_GET_IRQ_INFO, Payload.irqInfo(16, i));
      if (!irq.isError() && irq.payloadSize() >= 16) {
        irqs.add(
            new DeviceFacts.Irq(i, irq.get(IrqInfoMessage.FLAGS), irq.get(IrqInfoMessage.COUNT)));
      }
    }
    return new DeviceFacts(flags, regionCount, irqCount, regions, irqs);
  }

  /** The configuration space's region. */
  DeviceFacts.Region config() {
    return device()
        .region(DeviceFacts.CONFIG)
        .filter(DeviceFacts.Region::isReadable)
        .orElseThrow(() -> Verdict.skipped("there is no configuration space to read"));
  }

  /** The reply to a command that has to succeed. */
  WirePeer.Message succeeds(WirePeer peer, Command command, Payload payload, int... descriptors) {
    var reply = peer.call(command, payload, descriptors);
    if (reply.isError()) {
      throw Verdict.failed(command + ": " + reply.outcome());
    }
    return reply;
  }

  /** The reply to a command that has to succeed with a payload of at least so many bytes. */
  WirePeer.Message succeeds(
      WirePeer peer, int least, Command command, Payload payload, int... descriptors) {
    var reply = succeeds(peer, command, payload, descriptors);
    if (reply.payloadSize() < least) {
      throw Verdict.failed(
          "%s: %s where %s are the least"
              .formatted(command, reply.outcome(), MessageText.bytes(least)));
    }
    return reply;
  }

  /** How a command was refused that has to be. */
  String refused(WirePeer peer, int command, Payload payload, int... descriptors) {
    WirePeer.Message reply;
    try {
      reply = peer.call(command, payload, descriptors);
    } catch (PeerException e) {
      if (e.isGone()) {
        throw Verdict.differs(e.getMessage());
      }
      throw e;
    }
    if (!reply.isError()) {
      throw Verdict.failed(reply.outcome());
    }
    return reply.outcome();
  }

  /** How a command was refused that has to be. */
  String refused(WirePeer peer, Command command, Payload payload, int... descriptors) {
    return refused(peer, command.number(), payload, descriptors);
  }

  /** How a command was refused that others refuse, though the specification is silent. */
  String usuallyRefused(WirePeer peer, Command command, Payload payload, int... descriptors) {
    try {
      return refused(peer, command, payload, descriptors);
    } catch (Verdict verdict) {
      throw Verdict.differs(verdict.came());
    }
  }

  /** What came of a message that has to be refused or to end the connection. */
  String refusedOrClosed(WirePeer peer, int id) {
    WirePeer.Message reply;
    try {
      reply = peer.reply(id);
    } catch (PeerException e) {
      if (e.isGone()) {
        return e.getMessage();
      }
      throw e;
    }
    if (!reply.isError()) {
      throw Verdict.failed(reply.outcome());
    }
    return reply.outcome();
  }

  /** A connection has to be of use still, after whatever was sent over it. */
  void isOfUse(WirePeer peer, String afterWhat) {
    WirePeer.Message reply;
    try {
      reply = peer.call(Command.DEVICE_GET_INFO, Payload.deviceInfo(DEVICE_INFO_SIZE));
    } catch (PeerException e) {
      throw Verdict.failed(afterWhat + ", and then it " + e.getMessage());
    }
    if (reply.isError()) {
      throw Verdict.failed(afterWhat + ", and then " + reply.outcome() + " to DEVICE_GET_INFO");
    }
  }

  /** The bytes that were read of a region, all of them. */
  byte[] read(WirePeer peer, int region, long offset, int count) {
    var reply =
        succeeds(peer, 16 + count, Command.REGION_READ, Payload.access(offset, region, count));
    long toldOffset = reply.get(RegionAccess.OFFSET);
    int toldRegion = reply.get(RegionAccess.REGION);
    int toldCount = reply.get(RegionAccess.COUNT);
    var bytes = reply.from(RegionAccess.BYTES);
    if (toldOffset != offset
        || toldRegion != region
        || toldCount != count
        || bytes.length != count) {
      throw Verdict.failed(
          "%s answered as offset %s of %s, %s, %s"
              .formatted(
                  "a read of %d bytes at %s".formatted(count, MessageText.hex(offset)),
                  MessageText.hex(toldOffset),
                  MessageDecoder.regionName(Integer.toUnsignedLong(toldRegion)),
                  MessageText.bytes(Integer.toUnsignedLong(toldCount)),
                  MessageText.bytes(bytes.length)));
    }
    return bytes;
  }

  /** Writes bytes to a region. */
  void write(WirePeer peer, int region, long offset, byte... bytes) {
    var reply =
        succeeds(
            peer,
            16,
            Command.REGION_WRITE,
            Payload.access(offset, region, bytes.length).bytes(bytes));
    if (reply.get(RegionAccess.COUNT) != bytes.length) {
      throw Verdict.failed(
          "a write of %s answered as one of %s"
              .formatted(
                  MessageText.bytes(bytes.length),
                  MessageText.bytes(Integer.toUnsignedLong(reply.get(RegionAccess.COUNT)))));
    }
  }

  /** An id in the middle of all, for messages that are put together by hand. */
  static byte[] message(int id, Command command, int flags, Payload payload) {
    return payload.message(id, command.number(), flags);
  }

  /** A command that wants no reply. */
  static byte[] quiet(int id, Command command, Payload payload) {
    return message(id, command, Header.NO_REPLY, payload);
  }

  /** What an errno is called in a reply that has to have a certain one. */
  static void hasErrno(String came, Errno errno) {
    if (!came.equals(errno.symbol())) {
      throw Verdict.failed(came);
    }
  }

  /** Ends all connections of the check that is over. */
  void closePeers() {
    peers.forEach(WirePeer::close);
    peers.clear();
  }
}
