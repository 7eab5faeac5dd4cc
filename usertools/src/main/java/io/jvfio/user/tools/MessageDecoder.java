// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingControl;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingRange;
import io.jvfio.linux.uapi.VfioDeviceFeatureDmaLoggingReport;
import io.jvfio.linux.uapi.VfioDeviceFeatureMigState;
import io.jvfio.linux.uapi.VfioDeviceFeatureMigration;
import io.jvfio.linux.uapi.VfioInfoCapHeader;
import io.jvfio.linux.uapi.VfioRegionInfo;
import io.jvfio.linux.uapi.VfioRegionInfoCapSparseMmap;
import io.jvfio.linux.uapi.VfioRegionInfoCapType;
import io.jvfio.linux.uapi.VfioRegionSparseMmapArea;
import io.jvfio.user.wire.Capabilities;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DeviceInfoMessage;
import io.jvfio.user.wire.DirtyBitmap;
import io.jvfio.user.wire.DmaAccessMessage;
import io.jvfio.user.wire.DmaMapMessage;
import io.jvfio.user.wire.DmaUnmapMessage;
import io.jvfio.user.wire.FeatureMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.IrqInfoMessage;
import io.jvfio.user.wire.MalformedMessageException;
import io.jvfio.user.wire.MessageDescriptor;
import io.jvfio.user.wire.MessageText;
import io.jvfio.user.wire.MigrationData;
import io.jvfio.user.wire.RegionAccess;
import io.jvfio.user.wire.RegionInfoMessage;
import io.jvfio.user.wire.RegionIoFds;
import io.jvfio.user.wire.SetIrqsMessage;
import io.jvfio.user.wire.SubRegion;
import io.jvfio.user.wire.VersionMessage;
import io.jvfio.user.wire.WriteMulti;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Takes the messages of one socket apart. It remembers the commands of both sides until their
 * replies come, so that a reply can be told to belong to one, and how long it took.
 *
 * <p>It takes whatever bytes come and never fails: what cannot be a message is told in {@link
 * DecodedMessage#problems()}.
 */
public final class MessageDecoder {
  private static final List<String> DMA_FLAGS = List.of("READ", "WRITE", "MMAP", "FILE_IO");
  private static final List<String> UNMAP_FLAGS = List.of("GET_DIRTY_BITMAP", "ALL");
  private static final List<String> DEVICE_FLAGS =
      List.of("RESET", "PCI", "PLATFORM", "AMBA", "CCW", "AP", "FSL_MC", "CAPS", "CDX");
  private static final List<String> REGION_FLAGS = List.of("READ", "WRITE", "MMAP", "CAPS");
  private static final List<String> IRQ_FLAGS =
      List.of("EVENTFD", "MASKABLE", "AUTOMASKED", "NORESIZE");
  private static final List<String> IRQ_SET_FLAGS =
      List.of(
          "DATA_NONE",
          "DATA_BOOL",
          "DATA_EVENTFD",
          "ACTION_MASK",
          "ACTION_UNMASK",
          "ACTION_TRIGGER");
  private static final List<String> MIGRATION_FLAGS = List.of("STOP_COPY", "P2P", "PRE_COPY");
  private static final List<String> IO_FLAGS =
      List.of("DATAMATCH", "PIO", "DEASSIGN", "VIRTIO_CCW");
  private static final List<String> IO_TYPES =
      List.of("ioeventfd", "ioregionfd", "ioeventfd-shadow");
  private static final List<String> REGIONS =
      List.of("BAR0", "BAR1", "BAR2", "BAR3", "BAR4", "BAR5", "ROM", "config", "VGA");
  private static final List<String> IRQS = List.of("INTx", "MSI", "MSI-X", "ERR", "REQ");
  private static final List<String> STATES =
      List.of(
          "ERROR",
          "STOP",
          "RUNNING",
          "STOP_COPY",
          "RESUMING",
          "RUNNING_P2P",
          "PRE_COPY",
          "PRE_COPY_P2P");
  private static final List<String> FEATURES =
      List.of(
          "PCI_VF_TOKEN",
          "MIGRATION",
          "MIG_DEVICE_STATE",
          "LOW_POWER_ENTRY",
          "LOW_POWER_ENTRY_WITH_WAKEUP",
          "LOW_POWER_EXIT",
          "DMA_LOGGING_START",
          "DMA_LOGGING_STOP",
          "DMA_LOGGING_REPORT",
          "MIG_DATA_SIZE",
          "BUS_MASTER",
          "DMA_BUF");
  private static final List<String> FEATURE_ACTIONS = List.of("GET", "SET", "PROBE");

  private static final int DATA_TYPES =
      Vfio.VFIO_IRQ_SET_DATA_NONE | Vfio.VFIO_IRQ_SET_DATA_BOOL | Vfio.VFIO_IRQ_SET_DATA_EVENTFD;
  private static final int ACTIONS =
      Vfio.VFIO_IRQ_SET_ACTION_MASK
          | Vfio.VFIO_IRQ_SET_ACTION_UNMASK
          | Vfio.VFIO_IRQ_SET_ACTION_TRIGGER;

  private static final int MAX_CAPS = 64;

  /** How many commands without a reply are remembered; then they are forgotten. */
  private static final int MAX_WAITING = 1 << 16;

  private final ByteOrder order;
  private final Map<Key, Deque<Sent>> waiting = new HashMap<>();
  private int waitingCount;

  /** A decoder for messages in the byte order of this machine. */
  public MessageDecoder() {
    this(ByteOrder.nativeOrder());
  }

  /** A decoder for messages that were recorded on a machine of this byte order. */
  public MessageDecoder(ByteOrder order) {
    this.order = order;
  }

  /** What a reply is matched by: ids are their sender's own. */
  private record Key(MessageDirection direction, int id) {}

  /** A command that was sent. */
  private record Sent(int command, long nanos) {}

  /**
   * Takes the next message apart.
   *
   * @param direction which way it goes
   * @param message its bytes, which must not change from now on
   * @param descriptors what came with it
   * @param nanos when it came, by any clock that goes on
   */
  public DecodedMessage decode(
      MessageDirection direction, byte[] message, List<MessageDescriptor> descriptors, long nanos) {
    return decode(direction, message, message.length, descriptors, nanos);
  }

  /**
   * Takes the next message apart, which went past a tap. Of one that is not whole, the fields are
   * those that its beginning has.
   */
  public DecodedMessage decode(TapMessage message) {
    return decode(
        message.direction(),
        message.bytes(),
        message.byteSize(),
        message.descriptors(),
        message.nanos());
  }

  private DecodedMessage decode(
      MessageDirection direction,
      byte[] message,
      int byteSize,
      List<MessageDescriptor> descriptors,
      long nanos) {
    var problems = new ArrayList<String>();
    if (message.length < Header.SIZE) {
      problems.add("%s, and a header has %d".formatted(MessageText.bytes(byteSize), Header.SIZE));
      List<MessageField> fields =
          message.length == 0
              ? List.of()
              : List.of(new MessageField("bytes", new MessageValue.Data(message, 0, byteSize)));
      return new DecodedMessage(
          direction,
          DecodedMessage.Type.UNKNOWN,
          0,
          0,
          "bytes",
          byteSize,
          List.of(),
          Optional.empty(),
          fields,
          descriptors,
          problems,
          OptionalLong.empty());
    }
    var header = ByteBuffer.wrap(message).order(order);
    int id = (int) Header.ID.get(header, 0);
    int number = (int) Header.NUMBER.get(header, 0);
    long told = Header.MESSAGE_SIZE.get(header, 0);
    int flags = (int) Header.FLAGS.get(header, 0);
    int errno = (int) Header.ERRNO.get(header, 0);
    if (told != byteSize) {
      problems.add("tells of %s".formatted(MessageText.bytes(told)));
    }
    var type =
        switch (flags & Header.TYPE_MASK) {
          case Header.COMMAND -> DecodedMessage.Type.COMMAND;
          case Header.REPLY -> DecodedMessage.Type.REPLY;
          default -> DecodedMessage.Type.UNKNOWN;
        };
    var command = Command.of(number);
    boolean isError = type == DecodedMessage.Type.REPLY && (flags & Header.ERROR) != 0;
    var flagNames = flags(type, flags, problems);
    if (errno != 0 && !isError) {
      problems.add("has errno %d and no error".formatted(errno));
    }
    var roundTrip = OptionalLong.empty();
    if (type == DecodedMessage.Type.REPLY) {
      roundTrip = reply(direction, id, number, nanos, problems);
    } else if (type == DecodedMessage.Type.COMMAND && (flags & Header.NO_REPLY) == 0) {
      sent(direction, id, number, nanos);
    }
    checkDirection(command, type, direction, problems);
    var in = new PayloadReader(message, Header.SIZE, byteSize, order, problems);
    if (isError) {
      if (in.left() > 0) {
        in.problem("an error with a payload of " + MessageText.bytes(in.left()));
        in.data("payload");
      }
    } else if (command == null) {
      in.problem("a command that the protocol does not have");
      in.data("payload");
    } else if (type == DecodedMessage.Type.UNKNOWN) {
      in.data("payload");
    } else {
      payload(command, type == DecodedMessage.Type.REPLY, in, descriptors);
    }
    return new DecodedMessage(
        direction,
        type,
        id,
        number,
        command == null ? "command " + number : command.name(),
        byteSize,
        flagNames,
        isError ? Optional.of(Errno.of(errno)) : Optional.empty(),
        in.fields(),
        descriptors,
        problems,
        roundTrip);
  }

  private static List<String> flags(DecodedMessage.Type type, int flags, List<String> problems) {
    var names = new ArrayList<String>();
    if ((flags & Header.NO_REPLY) != 0) {
      names.add("no reply");
      if (type == DecodedMessage.Type.REPLY) {
        problems.add("a reply that wants no reply");
      }
    }
    if ((flags & Header.ERROR) != 0) {
      names.add("error");
      if (type == DecodedMessage.Type.COMMAND) {
        problems.add("a command with an error");
      }
    }
    int unknown = flags & ~(Header.TYPE_MASK | Header.NO_REPLY | Header.ERROR);
    if (unknown != 0) {
      names.add(MessageText.hex(Integer.toUnsignedLong(unknown)));
      problems.add("has flags that the protocol does not have");
    }
    if (type == DecodedMessage.Type.UNKNOWN) {
      problems.add("a message of type %d".formatted(flags & Header.TYPE_MASK));
    }
    return names;
  }

  private static void checkDirection(
      @Nullable Command command,
      DecodedMessage.Type type,
      MessageDirection direction,
      List<String> problems) {
    if (command == null || type == DecodedMessage.Type.UNKNOWN) {
      return;
    }
    var asked = type == DecodedMessage.Type.COMMAND ? direction : direction.back();
    if (command.isFromServer() != (asked == MessageDirection.TO_CLIENT)) {
      problems.add(
          "a command of the "
              + (command.isFromServer() ? "server" : "client")
              + " by the other side");
    }
  }

  private void sent(MessageDirection direction, int id, int command, long nanos) {
    if (waitingCount == MAX_WAITING) {
      waiting.clear();
      waitingCount = 0;
    }
    waiting
        .computeIfAbsent(new Key(direction, id), _ -> new ArrayDeque<>(1))
        .add(new Sent(command, nanos));
    waitingCount++;
  }

  private OptionalLong reply(
      MessageDirection direction, int id, int command, long nanos, List<String> problems) {
    var key = new Key(direction.back(), id);
    var sent = waiting.get(key);
    if (sent == null) {
      problems.add("a reply to nothing");
      return OptionalLong.empty();
    }
    // Ids may be in use several times; servers answer in order.
    var first =
        sent.stream().filter(each -> each.command == command).findFirst().orElse(sent.getFirst());
    sent.removeFirstOccurrence(first);
    waitingCount--;
    if (sent.isEmpty()) {
      waiting.remove(key);
    }
    if (first.command != command) {
      problems.add("a reply to " + commandName(first.command));
    }
    return OptionalLong.of(nanos - first.nanos);
  }

  private static String commandName(int number) {
    var command = Command.of(number);
    return command == null ? "command " + number : command.name();
  }

  public static String regionName(long index) {
    return name(REGIONS, index, "region ");
  }

  public static String irqName(long index) {
    return name(IRQS, index, "index ");
  }

  public static String featureName(long index) {
    return name(FEATURES, index, "feature ");
  }

  public static String stateName(long state) {
    return name(STATES, state, "state ");
  }

  private static String name(List<String> names, long index, String otherwise) {
    return index >= 0 && index < names.size()
        ? names.get((int) index)
        : otherwise + Long.toUnsignedString(index);
  }

  private static void payload(
      Command command, boolean isReply, PayloadReader in, List<MessageDescriptor> descriptors) {
    int most =
        switch (command) {
          case VERSION, DEVICE_GET_REGION_INFO, DEVICE_GET_REGION_IO_FDS ->
              isReply ? Integer.MAX_VALUE : 0;
          case DMA_MAP -> isReply ? 0 : 1;
          case DEVICE_SET_IRQS -> isReply ? 0 : Integer.MAX_VALUE;
          default -> 0;
        };
    if (descriptors.size() > most) {
      in.problem(
          "%d descriptors, and it has %s"
              .formatted(descriptors.size(), most == 0 ? "none" : "one"));
    }
    switch (command) {
      case VERSION -> version(in);
      case DMA_MAP -> {
        if (!isReply) {
          dmaMap(in);
        }
      }
      case DMA_UNMAP -> dmaUnmap(isReply, in);
      case DEVICE_GET_INFO -> {
        in.byteCount(DeviceInfoMessage.ARGSZ);
        in.bits(DeviceInfoMessage.FLAGS, DEVICE_FLAGS);
        in.count(DeviceInfoMessage.NUM_REGIONS);
        in.count(DeviceInfoMessage.NUM_IRQS);
      }
      case DEVICE_GET_REGION_INFO -> regionInfo(isReply, in, descriptors);
      case DEVICE_GET_REGION_IO_FDS -> regionIoFds(isReply, in, descriptors);
      case DEVICE_GET_IRQ_INFO -> {
        in.byteCount(IrqInfoMessage.ARGSZ);
        in.bits(IrqInfoMessage.FLAGS, IRQ_FLAGS);
        in.named(IrqInfoMessage.INDEX, MessageDecoder::irqName);
        in.count(IrqInfoMessage.COUNT);
      }
      case DEVICE_SET_IRQS -> {
        if (!isReply) {
          setIrqs(in, descriptors);
        }
      }
      case REGION_READ -> regionAccess(isReply, in);
      case REGION_WRITE -> regionAccess(!isReply, in);
      case DMA_READ -> dmaAccess(isReply, in);
      case DMA_WRITE -> dmaAccess(!isReply, in);
      case DEVICE_RESET -> {
        // has no payload
      }
      case REGION_WRITE_MULTI -> {
        long count = in.count(WriteMulti.COUNT);
        if (!isReply) {
          in.entries("wrs", count, WriteMulti.Entry.BYTES, MessageDecoder::write);
        }
      }
      case DEVICE_FEATURE -> feature(isReply, in);
      case MIG_DATA_READ -> migrationData(isReply, true, in);
      case MIG_DATA_WRITE -> {
        if (!isReply) {
          migrationData(false, false, in);
        }
      }
    }
    in.end();
  }

  private static void version(PayloadReader in) {
    in.count(VersionMessage.MAJOR);
    in.count(VersionMessage.MINOR);
    if (in.isCut() || in.left() == 0) {
      return;
    }
    if (in.left() > Capabilities.MAX_BYTES) {
      in.problem("capabilities of " + MessageText.bytes(in.left()));
      in.data("version_data");
      return;
    }
    var text = in.text();
    try {
      Capabilities.parse(text.getBytes(StandardCharsets.UTF_8));
    } catch (MalformedMessageException e) {
      in.problem(e.what());
    }
    in.add(
        new MessageField(
            "version_data",
            MessageJson.isWellFormed(text)
                ? new MessageValue.Json(text)
                : new MessageValue.Words(text)));
  }

  private static void dmaMap(PayloadReader in) {
    in.byteCount(DmaMapMessage.ARGSZ);
    in.bits(DmaMapMessage.FLAGS, DMA_FLAGS);
    in.address(DmaMapMessage.OFFSET);
    in.address(DmaMapMessage.ADDRESS);
    in.byteCount(DmaMapMessage.SIZE);
  }

  private static void dmaUnmap(boolean isReply, PayloadReader in) {
    in.byteCount(DmaUnmapMessage.ARGSZ);
    long flags = in.bits(DmaUnmapMessage.FLAGS, UNMAP_FLAGS);
    in.address(DmaUnmapMessage.ADDRESS);
    in.byteCount(DmaUnmapMessage.SIZE);
    if ((flags & DmaUnmapMessage.GET_DIRTY_BITMAP) != 0) {
      in.byteCount(DirtyBitmap.PAGE_SIZE);
      long size = in.byteCount(DirtyBitmap.BYTE_SIZE);
      if (isReply) {
        in.data("bitmap", size);
      }
    }
  }

  private static void regionInfo(
      boolean isReply, PayloadReader in, List<MessageDescriptor> descriptors) {
    in.byteCount(RegionInfoMessage.ARGSZ);
    long flags = in.bits(RegionInfoMessage.FLAGS, REGION_FLAGS);
    in.named(RegionInfoMessage.INDEX, MessageDecoder::regionName);
    long capOffset = in.byteCount(RegionInfoMessage.CAP_OFFSET);
    in.byteCount(RegionInfoMessage.SIZE);
    in.address(RegionInfoMessage.OFFSET);
    if (!isReply || in.isCut()) {
      return;
    }
    boolean isWhole = in.left() > 0 || (flags & Vfio.VFIO_REGION_INFO_FLAG_CAPS) != 0;
    if ((flags & Vfio.VFIO_REGION_INFO_FLAG_MMAP) != 0 && isWhole && descriptors.isEmpty()) {
      in.problem("a region that can be mapped, and no descriptor");
    }
    if ((flags & Vfio.VFIO_REGION_INFO_FLAG_CAPS) != 0) {
      capabilities(in, capOffset);
    }
  }

  /** Each entry begins behind the one before it, so that there is an end. */
  private static void capabilities(PayloadReader in, long first) {
    var caps = new ArrayList<MessageValue.Group>();
    int room = (int) VfioRegionInfo.BYTES + in.left();
    long next = first;
    long last = VfioRegionInfo.BYTES - 1;
    while (next != 0) {
      if (next <= last || next > room - VfioInfoCapHeader.BYTES || caps.size() == MAX_CAPS) {
        in.problem("a capability at offset " + next);
        break;
      }
      last = next;
      var cap = in.from(Header.SIZE, (int) next);
      long id =
          cap.named(
              VfioInfoCapHeader.ID,
              number -> name(List.of("0", "SPARSE_MMAP", "TYPE", "MSIX_MAPPABLE"), number, ""));
      cap.count(VfioInfoCapHeader.VERSION);
      next = cap.byteCount(VfioInfoCapHeader.NEXT);
      if (id == Vfio.VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
        long areas = cap.count(VfioRegionInfoCapSparseMmap.NR_AREAS);
        cap.reserved(VfioRegionInfoCapSparseMmap.RESERVED);
        cap.entries(
            "areas",
            areas,
            VfioRegionSparseMmapArea.BYTES,
            area -> {
              area.address(VfioRegionSparseMmapArea.OFFSET);
              area.byteCount(VfioRegionSparseMmapArea.SIZE);
            });
      } else if (id == Vfio.VFIO_REGION_INFO_CAP_TYPE) {
        cap.count(VfioRegionInfoCapType.TYPE);
        cap.count(VfioRegionInfoCapType.SUBTYPE);
      }
      caps.add(new MessageValue.Group(cap.fields()));
    }
    in.add(new MessageField("capabilities", new MessageValue.Entries(caps, 0)));
    in.skipRest();
  }

  private static void regionIoFds(
      boolean isReply, PayloadReader in, List<MessageDescriptor> descriptors) {
    long argsz = in.byteCount(RegionIoFds.ARGSZ);
    in.bits(RegionIoFds.FLAGS, List.of());
    in.named(RegionIoFds.INDEX, MessageDecoder::regionName);
    long count = in.count(RegionIoFds.COUNT);
    if (!isReply || in.isCut() || count == 0 || in.left() == 0) {
      return;
    }
    long size = (argsz - RegionIoFds.STRUCT.byteSize()) / count;
    if (size != SubRegion.BYTES && size != SubRegion.SHADOW_BYTES) {
      in.problem("entries of " + MessageText.bytes(size));
      in.data("sub_regions");
      return;
    }
    boolean hasShadow = size == SubRegion.SHADOW_BYTES;
    in.entries("sub_regions", count, size, entry -> subRegion(entry, hasShadow, descriptors));
  }

  private static void subRegion(
      PayloadReader entry, boolean hasShadow, List<MessageDescriptor> descriptors) {
    entry.address(SubRegion.OFFSET);
    entry.byteCount(SubRegion.SIZE);
    long fd = entry.count(SubRegion.FD_INDEX);
    if (fd >= descriptors.size()) {
      entry.problem("descriptor %d of %d".formatted(fd, descriptors.size()));
    }
    long type = entry.named(SubRegion.TYPE, number -> name(IO_TYPES, number, "type "));
    entry.bits(SubRegion.FLAGS, IO_FLAGS);
    if (hasShadow) {
      long shadow = entry.count(SubRegion.SHADOW_FD_INDEX);
      if (type == SubRegion.IOEVENTFD_SHADOW && shadow >= descriptors.size()) {
        entry.problem("descriptor %d of %d".formatted(shadow, descriptors.size()));
      }
      entry.address(SubRegion.SHADOW_OFFSET);
    } else {
      entry.reserved(SubRegion.SHADOW_FD_INDEX, "padding");
    }
    entry.address(
        SubRegion.datamatch(hasShadow ? SubRegion.SHADOW_BYTES : SubRegion.BYTES),
        type == SubRegion.IOREGIONFD ? "user_data" : "datamatch");
  }

  private static void setIrqs(PayloadReader in, List<MessageDescriptor> descriptors) {
    in.byteCount(SetIrqsMessage.ARGSZ);
    long flags = in.bits(SetIrqsMessage.FLAGS, IRQ_SET_FLAGS);
    in.named(SetIrqsMessage.INDEX, MessageDecoder::irqName);
    in.count(SetIrqsMessage.START);
    long count = in.count(SetIrqsMessage.COUNT);
    if (in.isCut()) {
      return;
    }
    if (Long.bitCount(flags & DATA_TYPES) != 1) {
      in.problem("not one type of data");
    }
    if (Long.bitCount(flags & ACTIONS) != 1) {
      in.problem("not one action");
    }
    if ((flags & Vfio.VFIO_IRQ_SET_DATA_BOOL) != 0) {
      in.data("data", count);
    }
    if ((flags & Vfio.VFIO_IRQ_SET_DATA_EVENTFD) == 0 && !descriptors.isEmpty()) {
      in.problem("descriptors, and no such data");
    } else if (!descriptors.isEmpty() && descriptors.size() != count) {
      in.problem("%d descriptors for %d interrupts".formatted(descriptors.size(), count));
    }
  }

  private static void regionAccess(boolean hasData, PayloadReader in) {
    in.address(RegionAccess.OFFSET);
    in.named(RegionAccess.REGION, MessageDecoder::regionName);
    long count = in.byteCount(RegionAccess.COUNT);
    if (hasData) {
      in.data("data", count);
    }
  }

  private static void dmaAccess(boolean hasData, PayloadReader in) {
    in.address(DmaAccessMessage.ADDRESS);
    long count = in.byteCount(DmaAccessMessage.COUNT);
    if (hasData) {
      in.data("data", count);
    }
  }

  private static void write(PayloadReader entry) {
    entry.address(WriteMulti.Entry.OFFSET);
    entry.named(WriteMulti.Entry.REGION, MessageDecoder::regionName);
    long count = entry.byteCount(WriteMulti.Entry.COUNT);
    if (count > WriteMulti.MAX_COUNT) {
      entry.problem("a write of " + MessageText.bytes(count));
    }
    entry.data("data", Math.min(count, WriteMulti.MAX_COUNT));
  }

  private static void migrationData(boolean isReply, boolean isRead, PayloadReader in) {
    in.byteCount(MigrationData.ARGSZ);
    long size = in.byteCount(MigrationData.SIZE);
    if (isReply || !isRead) {
      in.data("data", size);
    }
  }

  private static void feature(boolean isReply, PayloadReader in) {
    in.byteCount(FeatureMessage.ARGSZ);
    long flags = in.count(FeatureMessage.FLAGS);
    if (in.isCut()) {
      return;
    }
    var fields = in.fields();
    fields.removeLast();
    int feature = (int) flags & Vfio.VFIO_DEVICE_FEATURE_MASK;
    in.add(new MessageField("feature", new MessageValue.Named(feature, featureName(feature))));
    in.add(new MessageField("action", MessageValue.Bits.of(flags >>> 16, FEATURE_ACTIONS)));
    boolean isProbe = (flags & Vfio.VFIO_DEVICE_FEATURE_PROBE) != 0;
    boolean isGet = (flags & Vfio.VFIO_DEVICE_FEATURE_GET) != 0;
    boolean isSet = (flags & Vfio.VFIO_DEVICE_FEATURE_SET) != 0;
    if (!isProbe && isGet == isSet) {
      in.problem(isGet ? "gets and sets at once" : "no action");
    }
    if (isProbe) {
      in.data("data");
      return;
    }
    switch (feature) {
      case Vfio.VFIO_DEVICE_FEATURE_MIGRATION -> {
        if (isReply && isGet) {
          in.bits(VfioDeviceFeatureMigration.FLAGS, "migration_flags", MIGRATION_FLAGS);
        }
      }
      case Vfio.VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE -> {
        if (isSet || isReply) {
          in.named(VfioDeviceFeatureMigState.DEVICE_STATE, MessageDecoder::stateName);
          in.count(VfioDeviceFeatureMigState.DATA_FD);
        }
      }
      case Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_START -> {
        in.byteCount(VfioDeviceFeatureDmaLoggingControl.PAGE_SIZE);
        long ranges = in.count(VfioDeviceFeatureDmaLoggingControl.NUM_RANGES);
        in.reserved(VfioDeviceFeatureDmaLoggingControl.RESERVED, "reserved");
        in.entries(
            "ranges",
            ranges,
            VfioDeviceFeatureDmaLoggingRange.BYTES,
            range -> {
              range.address(VfioDeviceFeatureDmaLoggingRange.IOVA);
              range.byteCount(VfioDeviceFeatureDmaLoggingRange.LENGTH);
            });
      }
      case Vfio.VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT -> {
        in.address(VfioDeviceFeatureDmaLoggingReport.IOVA);
        in.byteCount(VfioDeviceFeatureDmaLoggingReport.LENGTH);
        in.byteCount(VfioDeviceFeatureDmaLoggingReport.PAGE_SIZE);
        if (isReply) {
          in.data("bitmap");
        }
      }
      default -> in.data("data");
    }
    // What a getter sends beside the header is room for the answer.
    if (isGet && !isReply) {
      in.skipRest();
    } else {
      in.data("data");
    }
  }

  @Override
  public String toString() {
    return "decoder, %,d commands without a reply".formatted(waitingCount);
  }
}
