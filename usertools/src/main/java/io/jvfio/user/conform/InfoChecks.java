// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioInfoCapHeader;
import io.jvfio.linux.uapi.VfioRegionInfoCapSparseMmap;
import io.jvfio.linux.uapi.VfioRegionSparseMmapArea;
import io.jvfio.user.peer.WirePeer;
import io.jvfio.user.tools.MessageDecoder;
import io.jvfio.user.tools.MessageValue;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.DeviceInfoMessage;
import io.jvfio.user.wire.Header;
import io.jvfio.user.wire.IrqInfoMessage;
import io.jvfio.user.wire.MessageDescriptor;
import io.jvfio.user.wire.MessageText;
import io.jvfio.user.wire.Payload;
import io.jvfio.user.wire.RegionInfoMessage;
import io.jvfio.user.wire.RegionIoFds;
import io.jvfio.user.wire.SubRegion;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Checks of what a server says that its device has. */
final class InfoChecks {
  private static final String DEVICE = "VFIO_USER_DEVICE_GET_INFO";
  private static final String REGION = "VFIO_USER_DEVICE_GET_REGION_INFO";
  private static final String IRQ = "VFIO_USER_DEVICE_GET_IRQ_INFO";
  private static final String IO_FDS = "VFIO_USER_DEVICE_GET_REGION_IO_FDS";
  private static final String SIZES = "Message sizes";
  private static final String SECURITY = "Security Considerations";

  private static final int REGION_SIZE = 32;
  private static final int LARGE = 4096;
  private static final int PCI_REGIONS = 9;
  private static final int PCI_IRQS = 5;
  private static final int KNOWN_REGION_FLAGS = 0xf;
  private static final int KNOWN_IRQ_FLAGS = 0xf;

  private InfoChecks() {}

  static List<ConformanceCheck> all() {
    return List.of(
        new ConformanceCheck(
            "device-info",
            "describes its device",
            DEVICE,
            "a PCI device with at least 9 regions and 5 interrupt indexes, in 16 bytes",
            InfoChecks::deviceInfo),
        new ConformanceCheck(
            "device-info-argsz-large",
            "takes more room than the description of a device needs",
            SIZES,
            "the description, and argsz as it needs",
            run -> exact(run, Command.DEVICE_GET_INFO, Payload.deviceInfo(LARGE), 16)),
        new ConformanceCheck(
            "device-info-argsz-small",
            "does not send more than there is room for",
            SIZES,
            "an error, or no more bytes than argsz",
            run -> bounded(run, Command.DEVICE_GET_INFO, Payload.deviceInfo(8), 8)),
        new ConformanceCheck(
            "region-info-all",
            "describes all of its regions",
            REGION,
            "the same index, known flags, and at least 32 bytes for each",
            InfoChecks::regionInfo),
        new ConformanceCheck(
            "region-info-config",
            "has configuration space",
            REGION,
            "region 7, readable and writable, of 256 or 4096 bytes",
            InfoChecks::configRegion),
        new ConformanceCheck(
            "region-info-beyond",
            "describes no region that it does not have",
            REGION,
            "an error",
            InfoChecks::regionBeyond),
        new ConformanceCheck(
            "region-info-empty",
            "tells nothing of regions that have no size",
            REGION,
            "no flags, and no capabilities",
            InfoChecks::emptyRegions),
        new ConformanceCheck(
            "region-info-argsz-large",
            "takes more room than the description of a region needs",
            SIZES,
            "the description, and argsz as it needs",
            run ->
                exact(
                    run,
                    Command.DEVICE_GET_REGION_INFO,
                    Payload.regionInfo(LARGE, DeviceFacts.CONFIG),
                    REGION_SIZE)),
        new ConformanceCheck(
            "region-info-argsz-small",
            "does not send more of a region than there is room for",
            SIZES,
            "an error, or no more bytes than argsz",
            run ->
                bounded(
                    run,
                    Command.DEVICE_GET_REGION_INFO,
                    Payload.regionInfo(16, DeviceFacts.CONFIG),
                    16)),
        new ConformanceCheck(
            "region-info-argsz-retry",
            "tells how much room the capabilities of a region need",
            SIZES,
            "argsz as it needs and no offset of a capability, and all of it when asked again",
            InfoChecks::argszRetry),
        new ConformanceCheck(
            "region-info-capabilities",
            "has capability chains that make sense",
            REGION,
            "entries one behind the other within the reply, and areas within the region",
            InfoChecks::capabilities),
        new ConformanceCheck(
            "region-info-mmap",
            "lets regions be mapped that it says can be",
            REGION,
            "a descriptor that can be mapped at the offset told",
            InfoChecks::mapped),
        new ConformanceCheck(
            "region-io-fds",
            "describes descriptors for parts of regions",
            IO_FDS,
            "parts within the region, with descriptors that came; or an error",
            InfoChecks::ioFds),
        new ConformanceCheck(
            "region-io-fds-beyond",
            "has no descriptors for regions that there are not",
            IO_FDS,
            "an error",
            InfoChecks::ioFdsBeyond),
        new ConformanceCheck(
            "region-io-fds-fields",
            "refuses fields that must be zero",
            IO_FDS,
            "an error",
            InfoChecks::ioFdsFields),
        new ConformanceCheck(
            "region-io-fds-absent",
            "has no descriptors for a BAR that it does not have",
            IO_FDS,
            "an error",
            InfoChecks::ioFdsAbsent),
        new ConformanceCheck(
            "region-io-fds-argsz-small",
            "does not send more of such parts than there is room for",
            SIZES,
            "an error, or no more bytes than argsz",
            run ->
                bounded(
                    run,
                    Command.DEVICE_GET_REGION_IO_FDS,
                    ioFdsRequest(15, 0, DeviceFacts.CONFIG, 0),
                    15)),
        new ConformanceCheck(
            "region-io-fds-argsz-large",
            "is not ended by more room for such parts than it can send",
            SECURITY,
            "an answer, or an error",
            InfoChecks::ioFdsArgszLarge),
        new ConformanceCheck(
            "region-io-fds-argsz-retry",
            "tells how much room such parts need",
            SIZES,
            "argsz as it needs and no descriptor, and all of it when asked again with that",
            InfoChecks::ioFdsRetry),
        new ConformanceCheck(
            "irq-info-all",
            "describes all of its interrupt indexes",
            IRQ,
            "the same index, known flags, and counts that such an index can have",
            InfoChecks::irqInfo),
        new ConformanceCheck(
            "irq-info-beyond",
            "describes no interrupt index that it does not have",
            IRQ,
            "an error",
            InfoChecks::irqBeyond),
        new ConformanceCheck(
            "irq-info-argsz-large",
            "takes more room than the description of an interrupt index needs",
            SIZES,
            "the description, and argsz as it needs",
            run -> exact(run, Command.DEVICE_GET_IRQ_INFO, Payload.irqInfo(LARGE, 0), 16)),
        new ConformanceCheck(
            "irq-info-argsz-small",
            "does not send more of an interrupt index than there is room for",
            SIZES,
            "an error, or no more bytes than argsz",
            run -> bounded(run, Command.DEVICE_GET_IRQ_INFO, Payload.irqInfo(8, 0), 8)));
  }

  private static String deviceInfo(ConformanceRun run) {
    var reply = run.succeeds(run.open(), 16, Command.DEVICE_GET_INFO, Payload.deviceInfo(16));
    int argsz = reply.get(DeviceInfoMessage.ARGSZ);
    int flags = reply.get(DeviceInfoMessage.FLAGS);
    int regions = reply.get(DeviceInfoMessage.NUM_REGIONS);
    int irqs = reply.get(DeviceInfoMessage.NUM_IRQS);
    var came =
        "argsz %d, flags %s, %d regions, %d indexes"
            .formatted(
                argsz,
                MessageValue.Bits.of(flags, List.of("RESET", "PCI")).text(true),
                regions,
                irqs);
    if (argsz < 16
        || reply.payloadSize() > 16
        || (flags & Vfio.VFIO_DEVICE_FLAGS_PCI) == 0
        || regions < PCI_REGIONS
        || irqs < PCI_IRQS) {
      throw Verdict.failed(came);
    }
    return came;
  }

  private static String exact(ConformanceRun run, Command command, Payload payload, int least) {
    var reply = run.succeeds(run.open(), least, command, payload);
    int argsz = reply.get(DeviceInfoMessage.ARGSZ); // where every such message has it
    if (argsz != reply.payloadSize()) {
      throw Verdict.failed(
          "argsz %d with %s".formatted(argsz, MessageText.bytes(reply.payloadSize())));
    }
    return "argsz " + argsz;
  }

  private static String bounded(ConformanceRun run, Command command, Payload payload, int argsz) {
    var peer = run.open();
    var reply = peer.call(command, payload);
    if (!reply.isError() && reply.payloadSize() > argsz) {
      throw Verdict.failed(
          "%s for an argsz of %d".formatted(MessageText.bytes(reply.payloadSize()), argsz));
    }
    run.isOfUse(peer, reply.outcome());
    return reply.outcome();
  }

  private static String regionInfo(ConformanceRun run) {
    var peer = run.open();
    var found = new ArrayList<String>();
    for (int i = 0; i < run.device().regionCount(); i++) {
      var reply =
          run.succeeds(
              peer,
              REGION_SIZE,
              Command.DEVICE_GET_REGION_INFO,
              Payload.regionInfo(REGION_SIZE, i));
      int argsz = reply.get(RegionInfoMessage.ARGSZ);
      int flags = reply.get(RegionInfoMessage.FLAGS);
      int index = reply.get(RegionInfoMessage.INDEX);
      long size = reply.get(RegionInfoMessage.SIZE);
      var name = MessageDecoder.regionName(i);
      if (index != i
          || argsz < REGION_SIZE
          || reply.payloadSize() > REGION_SIZE
          || (flags & ~KNOWN_REGION_FLAGS) != 0) {
        throw Verdict.failed(
            "%s: index %d, argsz %d, flags 0x%x, %s"
                .formatted(name, index, argsz, flags, MessageText.bytes(reply.payloadSize())));
      }
      if (size != 0) {
        found.add(name + " " + MessageText.bytes(size));
      }
    }
    return found.isEmpty() ? "no region" : String.join(", ", found);
  }

  private static String configRegion(ConformanceRun run) {
    var config = run.device().region(DeviceFacts.CONFIG);
    if (config.isEmpty()) {
      throw Verdict.failed("no region 7");
    }
    var region = config.get();
    boolean isUsual = region.size() == 256 || region.size() == 4096;
    if (!region.isReadable() || !region.isWritable() || region.size() < 256) {
      throw Verdict.failed(
          "%s, flags 0x%x".formatted(MessageText.bytes(region.size()), region.flags()));
    }
    if (!isUsual) {
      throw Verdict.differs(MessageText.bytes(region.size()));
    }
    return MessageText.bytes(region.size());
  }

  private static String regionBeyond(ConformanceRun run) {
    var peer = run.open();
    var first =
        run.refused(
            peer,
            Command.DEVICE_GET_REGION_INFO,
            Payload.regionInfo(REGION_SIZE, run.device().regionCount()));
    run.refused(peer, Command.DEVICE_GET_REGION_INFO, Payload.regionInfo(REGION_SIZE, -1));
    return first;
  }

  private static String emptyRegions(ConformanceRun run) {
    var empty = run.device().regions().stream().filter(region -> region.size() == 0).toList();
    if (empty.isEmpty()) {
      throw Verdict.skipped("all regions have a size");
    }
    for (var region : empty) {
      var came =
          "%s: flags 0x%x, argsz %d".formatted(region.name(), region.flags(), region.argsz());
      int promises = Vfio.VFIO_REGION_INFO_FLAG_MMAP | Vfio.VFIO_REGION_INFO_FLAG_CAPS;
      if ((region.flags() & promises) != 0 || region.argsz() != REGION_SIZE) {
        throw Verdict.failed(came);
      }
      if (region.flags() != 0) {
        throw Verdict.differs(came);
      }
    }
    return empty.stream().map(DeviceFacts.Region::name).collect(Collectors.joining(", "));
  }

  private static WirePeer.Message whole(
      ConformanceRun run, WirePeer peer, DeviceFacts.Region region) {
    return run.succeeds(
        peer,
        REGION_SIZE,
        Command.DEVICE_GET_REGION_INFO,
        Payload.regionInfo(Math.max(REGION_SIZE, region.argsz()), region.index()));
  }

  private static String argszRetry(ConformanceRun run) {
    var larger =
        run.device().regions().stream().filter(region -> region.argsz() > REGION_SIZE).toList();
    if (larger.isEmpty()) {
      throw Verdict.skipped("no region has capabilities");
    }
    var peer = run.open();
    for (var region : larger) {
      var head =
          run.succeeds(
              peer,
              REGION_SIZE,
              Command.DEVICE_GET_REGION_INFO,
              Payload.regionInfo(REGION_SIZE, region.index()));
      if (head.get(RegionInfoMessage.CAP_OFFSET) != 0) {
        throw Verdict.failed(
            "%s: a capability at offset %d of %s"
                .formatted(
                    region.name(),
                    head.get(RegionInfoMessage.CAP_OFFSET),
                    MessageText.bytes(head.payloadSize())));
      }
      var reply = whole(run, peer, region);
      boolean hasCaps = (reply.get(RegionInfoMessage.FLAGS) & Vfio.VFIO_REGION_INFO_FLAG_CAPS) != 0;
      if (reply.get(RegionInfoMessage.ARGSZ) != region.argsz()
          || reply.payloadSize() != region.argsz()
          || !hasCaps) {
        throw Verdict.failed(
            "%s: argsz %d, then %d with %s and%s capabilities"
                .formatted(
                    region.name(),
                    region.argsz(),
                    reply.get(RegionInfoMessage.ARGSZ),
                    MessageText.bytes(reply.payloadSize()),
                    hasCaps ? "" : " no"));
      }
    }
    return larger.stream()
        .map(region -> "%s %d".formatted(region.name(), region.argsz()))
        .collect(Collectors.joining(", "));
  }

  /** A part of a region that can be mapped. */
  private record Area(long offset, long size) {}

  /** The parts that can be mapped; all of it where no capability says which. */
  private static List<Area> areas(DeviceFacts.Region region, WirePeer.Message reply) {
    var areas = new ArrayList<Area>();
    boolean isSparse = false;
    if ((reply.get(RegionInfoMessage.FLAGS) & Vfio.VFIO_REGION_INFO_FLAG_CAPS) != 0) {
      int size = reply.payloadSize();
      int at = reply.get(RegionInfoMessage.CAP_OFFSET);
      int last = REGION_SIZE - 1;
      while (at != 0) {
        if (at <= last || at > size - VfioInfoCapHeader.BYTES || at % Integer.BYTES != 0) {
          throw Verdict.failed(
              "%s: a capability at offset %d of %s"
                  .formatted(region.name(), at, MessageText.bytes(size)));
        }
        last = at;
        int cap = Header.SIZE + at;
        if (reply.get(VfioInfoCapHeader.ID, cap) == Vfio.VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
          isSparse = true;
          long room = size - at - VfioRegionInfoCapSparseMmap.BYTES;
          if (room < 0) {
            throw Verdict.failed(region.name() + ": a sparse mmap capability that is cut off");
          }
          long count = Integer.toUnsignedLong(reply.get(VfioRegionInfoCapSparseMmap.NR_AREAS, cap));
          if (count > room / VfioRegionSparseMmapArea.BYTES) {
            throw Verdict.failed("%s: %d areas".formatted(region.name(), count));
          }
          int area = cap + (int) VfioRegionInfoCapSparseMmap.BYTES;
          for (int i = 0; i < count; i++, area += (int) VfioRegionSparseMmapArea.BYTES) {
            areas.add(
                new Area(
                    reply.get(VfioRegionSparseMmapArea.OFFSET, area),
                    reply.get(VfioRegionSparseMmapArea.SIZE, area)));
          }
        }
        at = reply.get(VfioInfoCapHeader.NEXT, cap);
      }
    }
    return isSparse ? areas : List.of(new Area(0, region.size()));
  }

  private static String capabilities(ConformanceRun run) {
    var peer = run.open();
    var seen = new ArrayList<String>();
    for (var region : run.device().regions()) {
      var reply = whole(run, peer, region);
      if ((reply.get(RegionInfoMessage.FLAGS) & Vfio.VFIO_REGION_INFO_FLAG_CAPS) == 0) {
        continue;
      }
      for (var area : areas(region, reply)) {
        boolean isWithin =
            area.offset >= 0 && area.size > 0 && area.size <= region.size() - area.offset;
        if (!isWithin) {
          throw Verdict.failed(
              "%s: %s at offset %s of %s"
                  .formatted(
                      region.name(),
                      MessageText.bytes(area.size),
                      MessageText.hex(area.offset),
                      MessageText.bytes(region.size())));
        }
      }
      seen.add(region.name());
    }
    if (seen.isEmpty()) {
      throw Verdict.skipped("no region has capabilities");
    }
    return String.join(", ", seen);
  }

  private static String mapped(ConformanceRun run) {
    var peer = run.open();
    var seen = new ArrayList<String>();
    for (var region : run.device().regions()) {
      if (!region.isMappable()) {
        continue;
      }
      var reply = whole(run, peer, region);
      if (reply.fds().isEmpty()) {
        throw Verdict.failed(region.name() + ": no descriptor");
      }
      long offset = reply.get(RegionInfoMessage.OFFSET);
      for (var area : areas(region, reply)) {
        map(run.kernel(), region, reply.fds().getFirst(), offset, area);
      }
      // It may be accessed by messages all the same.
      run.read(peer, region.index(), 0, 4);
      seen.add(region.name());
    }
    if (seen.isEmpty()) {
      throw Verdict.skipped("no region can be mapped");
    }
    return String.join(", ", seen);
  }

  private static void map(
      Kernel kernel, DeviceFacts.Region region, int fd, long offset, Area area) {
    int protection = Kernel.PROT_READ | (region.isWritable() ? Kernel.PROT_WRITE : 0);
    long address = kernel.mmap(area.size, protection, Kernel.MAP_SHARED, fd, offset + area.offset);
    if (address < 0) {
      throw Verdict.failed(
          "%s: mmap of %s at %s: %s"
              .formatted(
                  region.name(),
                  MessageText.bytes(area.size),
                  MessageText.hex(offset + area.offset),
                  io.jvfio.linux.Errno.ofResult(address)));
    }
    kernel.munmap(address, area.size);
    var length = MessageDescriptor.ofOpen(fd).byteSize();
    if (length.isPresent() && length.getAsLong() < offset + area.offset + area.size) {
      throw Verdict.failed(
          "%s: a file of %s, mapped up to %s"
              .formatted(
                  region.name(),
                  MessageText.bytes(length.getAsLong()),
                  MessageText.bytes(offset + area.offset + area.size)));
    }
  }

  private static Payload ioFdsRequest(int argsz, int flags, int index, int count) {
    return Payload.of(RegionIoFds.STRUCT)
        .with(RegionIoFds.ARGSZ, argsz)
        .with(RegionIoFds.FLAGS, flags)
        .with(RegionIoFds.INDEX, index)
        .with(RegionIoFds.COUNT, count);
  }

  private static String ioFds(ConformanceRun run) {
    var peer = run.open();
    var parts = new ArrayList<String>();
    var refusals = new ArrayList<String>();
    for (var region : run.device().regions()) {
      if (region.size() == 0 || !region.isBar()) {
        continue;
      }
      var reply =
          peer.call(Command.DEVICE_GET_REGION_IO_FDS, ioFdsRequest(LARGE, 0, region.index(), 0));
      if (reply.isError()) {
        refusals.add(region.name() + ": " + reply.outcome());
        continue;
      }
      parts.addAll(parts(region, reply));
    }
    if (parts.isEmpty()) {
      throw Verdict.skipped(refusals.isEmpty() ? "no region has any" : String.join(", ", refusals));
    }
    return String.join(", ", parts);
  }

  private static List<String> parts(DeviceFacts.Region region, WirePeer.Message reply) {
    if (reply.payloadSize() < 16) {
      throw Verdict.failed(region.name() + ": " + reply.outcome());
    }
    int argsz = reply.get(RegionIoFds.ARGSZ);
    int count = reply.get(RegionIoFds.COUNT);
    int flags = reply.get(RegionIoFds.FLAGS);
    int index = reply.get(RegionIoFds.INDEX);
    if (flags != 0 || index != region.index()) {
      throw Verdict.failed("%s: flags 0x%x, index %d".formatted(region.name(), flags, index));
    }
    if (count == 0) {
      if (argsz != 16) {
        throw Verdict.failed("%s: argsz %d, count 0".formatted(region.name(), argsz));
      }
      return List.of();
    }
    int size = count > 0 ? (argsz - 16) / count : 0;
    boolean isKnown = size == SubRegion.BYTES || size == SubRegion.SHADOW_BYTES;
    if (!isKnown || reply.payloadSize() < 16 + (long) count * size) {
      throw Verdict.failed(
          "%s: argsz %d, count %d, %s"
              .formatted(region.name(), argsz, count, MessageText.bytes(reply.payloadSize())));
    }
    var parts = new ArrayList<String>();
    for (int i = 0; i < count; i++) {
      int at = (int) SubRegion.at(i, size);
      long offset = reply.get(SubRegion.OFFSET, at);
      long length = reply.get(SubRegion.SIZE, at);
      int fd = reply.get(SubRegion.FD_INDEX, at);
      int type = reply.get(SubRegion.TYPE, at);
      boolean isWithin =
          offset >= 0 && length >= 0 && offset < region.size() && length <= region.size() - offset;
      if (!isWithin || fd < 0 || fd >= reply.fds().size() || type < 0 || type > 2) {
        throw Verdict.failed(
            "%s: %s at %s, descriptor %d of %d, type %d"
                .formatted(
                    region.name(),
                    MessageText.bytes(length),
                    MessageText.hex(offset),
                    fd,
                    reply.fds().size(),
                    type));
      }
      parts.add("%s+%s".formatted(region.name(), MessageText.hex(offset)));
    }
    if (size == SubRegion.SHADOW_BYTES) {
      throw Verdict.differs("entries of 48 bytes: " + String.join(", ", parts));
    }
    return parts;
  }

  private static String ioFdsAbsent(ConformanceRun run) {
    var absent =
        run.device().regions().stream()
            .filter(region -> region.isBar() && region.size() == 0)
            .findFirst()
            .orElseThrow(() -> Verdict.skipped("all BARs are there"));
    var came =
        run.usuallyRefused(
            run.open(),
            Command.DEVICE_GET_REGION_IO_FDS,
            ioFdsRequest(LARGE, 0, absent.index(), 0));
    return came + " for " + absent.name();
  }

  private static String ioFdsArgszLarge(ConformanceRun run) {
    long limit = run.hello().capabilities().maxDataTransfer();
    var peer = run.open();
    var came = "";
    for (int argsz : new int[] {(int) Math.min(limit + 1, Integer.MAX_VALUE), -1}) {
      came =
          peer.call(Command.DEVICE_GET_REGION_IO_FDS, ioFdsRequest(argsz, 0, DeviceFacts.CONFIG, 0))
              .outcome();
      run.isOfUse(peer, came);
    }
    return came;
  }

  private static String ioFdsRetry(ConformanceRun run) {
    var peer = run.open();
    var came = new ArrayList<String>();
    for (var region : run.device().regions()) {
      if (region.size() == 0 || !region.isBar()) {
        continue;
      }
      var head =
          peer.call(Command.DEVICE_GET_REGION_IO_FDS, ioFdsRequest(16, 0, region.index(), 0));
      if (head.isError() || head.payloadSize() < 16) {
        continue;
      }
      int told = head.get(RegionIoFds.ARGSZ);
      if (head.payloadSize() > 16 || !head.fds().isEmpty()) {
        throw Verdict.failed(
            "%s: %s and %d descriptors for an argsz of 16"
                .formatted(region.name(), head.outcome(), head.fds().size()));
      }
      if (told == 16) {
        continue;
      }
      var all =
          run.succeeds(
              peer, 16, Command.DEVICE_GET_REGION_IO_FDS, ioFdsRequest(told, 0, region.index(), 0));
      int again = all.get(RegionIoFds.ARGSZ);
      if (again != told || all.payloadSize() != told) {
        throw Verdict.failed(
            "%s: argsz %d, then %d with %s"
                .formatted(region.name(), told, again, MessageText.bytes(all.payloadSize())));
      }
      came.add("%s %d".formatted(region.name(), told));
    }
    if (came.isEmpty()) {
      throw Verdict.skipped("no region has any");
    }
    return String.join(", ", came);
  }

  private static String ioFdsBeyond(ConformanceRun run) {
    return run.refused(
        run.open(),
        Command.DEVICE_GET_REGION_IO_FDS,
        ioFdsRequest(LARGE, 0, run.device().regionCount(), 0));
  }

  private static String ioFdsFields(ConformanceRun run) {
    var peer = run.open();
    var flags =
        run.usuallyRefused(
            peer, Command.DEVICE_GET_REGION_IO_FDS, ioFdsRequest(LARGE, 1, DeviceFacts.CONFIG, 0));
    run.usuallyRefused(
        peer, Command.DEVICE_GET_REGION_IO_FDS, ioFdsRequest(LARGE, 0, DeviceFacts.CONFIG, 1));
    return flags;
  }

  private static String irqInfo(ConformanceRun run) {
    var peer = run.open();
    var found = new ArrayList<String>();
    for (int i = 0; i < run.device().irqCount(); i++) {
      var reply = run.succeeds(peer, 16, Command.DEVICE_GET_IRQ_INFO, Payload.irqInfo(16, i));
      int argsz = reply.get(IrqInfoMessage.ARGSZ);
      int flags = reply.get(IrqInfoMessage.FLAGS);
      int index = reply.get(IrqInfoMessage.INDEX);
      int count = reply.get(IrqInfoMessage.COUNT);
      int most =
          switch (i) {
            case Vfio.VFIO_PCI_MSI_IRQ_INDEX -> 32;
            case Vfio.VFIO_PCI_MSIX_IRQ_INDEX -> 2048;
            default -> i < PCI_IRQS ? 1 : Integer.MAX_VALUE;
          };
      var name = MessageDecoder.irqName(i);
      if (argsz != 16
          || index != i
          || (flags & ~KNOWN_IRQ_FLAGS) != 0
          || count < 0
          || count > most) {
        throw Verdict.failed(
            "%s: argsz %d, index %d, flags 0x%x, count %d"
                .formatted(name, argsz, index, flags, count));
      }
      if (count > 0) {
        found.add(name + " " + count);
      }
    }
    return found.isEmpty() ? "no interrupts" : String.join(", ", found);
  }

  private static String irqBeyond(ConformanceRun run) {
    var peer = run.open();
    var first =
        run.refused(
            peer, Command.DEVICE_GET_IRQ_INFO, Payload.irqInfo(16, run.device().irqCount()));
    run.refused(peer, Command.DEVICE_GET_IRQ_INFO, Payload.irqInfo(16, -1));
    return first;
  }
}
