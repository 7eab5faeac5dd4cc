// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.jfr.DeviceResetEvent;
import io.jvfio.jfr.Jfr;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.GroupAdvice;
import io.jvfio.kernel.OpenFile;
import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioPciDependentDevice;
import io.jvfio.linux.uapi.VfioPciHotReset;
import io.jvfio.linux.uapi.VfioPciHotResetInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The reset of a device's bus or slot. The kernel takes the files of all groups for a proof that
 * everything on it is the caller's; of a device opened by a node of its own it takes the iommufd.
 */
final class HotReset {
  private static final String ASK = Vfio.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO.name();
  private static final String RESET = Vfio.VFIO_DEVICE_PCI_HOT_RESET.name();
  private static final int FIRST_GUESS = 8;
  private static final int MOST_DEVICES = 1 << 16;

  private final PciAddress address;
  private final OpenFile file;
  private final VfioGroups owner;

  HotReset(PciAddress address, OpenFile file, VfioGroups owner) {
    this.address = address;
    this.file = file;
    this.owner = owner;
  }

  HotResetScope scope() {
    try (var arena = Arena.ofConfined()) {
      int room = FIRST_GUESS;
      while (true) {
        var info =
            arena.allocate(
                VfioPciHotResetInfo.BYTES + room * VfioPciDependentDevice.BYTES,
                Layouts.U32.byteAlignment());
        VfioPciHotResetInfo.ARGSZ.set(info, (int) info.byteSize());
        int result = file.ioctl(Vfio.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info);
        int count = VfioPciHotResetInfo.COUNT.get(info);
        if (result == Errno.ENOSPC.result() && count > room && count <= MOST_DEVICES) {
          room = count; // devices may have been plugged in since the last call
          continue;
        }
        if (result == Errno.ENODEV.result()) {
          return new HotResetScope(List.of(), List.of(noBridge()));
        }
        if (result < 0) {
          throw refusal(ASK, Errno.ofResult(result));
        }
        if (count < 1 || count > room) {
          throw new VfioException(
              ASK,
              file.name(),
              null,
              "The kernel tells of %s devices where it has room for %d."
                  .formatted(Integer.toUnsignedString(count), room),
              "Report it together with dmesg.");
        }
        return scope(info, count);
      }
    }
  }

  private HotResetScope.Obstacle noBridge() {
    return new HotResetScope.Obstacle(
        address,
        "Neither the bus nor the slot of %s can be reset: it is on a root bus, which no bridge resets, or the bridge above it cannot."
            .formatted(address),
        "On POWER, VfioDevice.eeh() can reset the endpoint of some devices; otherwise only the power can.");
  }

  private HotResetScope scope(MemorySegment info, int count) {
    boolean byNumber =
        (VfioPciHotResetInfo.FLAGS.get(info) & Vfio.VFIO_PCI_HOT_RESET_FLAG_DEV_ID) != 0;
    var devices = new ArrayList<HotResetScope.Affected>();
    var obstacles = new ArrayList<HotResetScope.Obstacle>();
    for (int i = 0; i < count; i++) {
      var entry =
          info.asSlice(
              VfioPciHotResetInfo.BYTES + i * VfioPciDependentDevice.BYTES,
              VfioPciDependentDevice.BYTES);
      var device = affected(entry, byNumber);
      devices.add(device);
      var obstacle = obstacle(device);
      if (obstacle != null) {
        obstacles.add(obstacle);
      }
    }
    return new HotResetScope(devices, obstacles);
  }

  private HotResetScope.Affected affected(MemorySegment entry, boolean byNumber) {
    int devfn = Byte.toUnsignedInt(VfioPciDependentDevice.DEVFN.get(entry));
    var where =
        new PciAddress(
            Short.toUnsignedInt(VfioPciDependentDevice.SEGMENT.get(entry)),
            Byte.toUnsignedInt(VfioPciDependentDevice.BUS.get(entry)),
            devfn >> 3,
            devfn & 7);
    var driver = owner.facts().driver(where);
    int number = VfioPciDependentDevice.GROUP_ID.get(entry); // or the number in the iommufd
    if (byNumber) {
      return new HotResetScope.Affected(
          where,
          owner.facts().group(where),
          number > 0 ? OptionalInt.of(number) : OptionalInt.empty(),
          driver,
          number != Vfio.VFIO_PCI_DEVID_NOT_OWNED);
    }
    return new HotResetScope.Affected(
        where,
        OptionalInt.of(number),
        OptionalInt.empty(),
        driver,
        owner.groupFile(number).isPresent());
  }

  private HotResetScope.@Nullable Obstacle obstacle(HotResetScope.Affected device) {
    var where = device.address();
    var name = where + groupOf(device);
    if (device.driver().isEmpty()) {
      return new HotResetScope.Obstacle(
          where,
          name
              + " has no driver; the kernel resets a bus only while VFIO has all devices that are on it.",
          new GroupAdvice(owner.facts()).bind(where));
    }
    var driver = device.driver().get();
    if (!driver.contains("vfio")) {
      return new HotResetScope.Obstacle(
          where,
          "%s is in use by the host driver %s, and would be reset with it.".formatted(name, driver),
          new GroupAdvice(owner.facts()).bind(where));
    }
    if (device.ours()) {
      return null;
    }
    return new HotResetScope.Obstacle(
        where,
        name + " is not open here, and would be reset with it" + holder(device) + ".",
        "Open its group together with that of %s: VfioHost.openGroups takes both."
            .formatted(address));
  }

  private static String groupOf(HotResetScope.Affected device) {
    return device.group().isPresent() ? " (group " + device.group().getAsInt() + ")" : "";
  }

  private String holder(HotResetScope.Affected device) {
    var facts = owner.facts();
    var group = device.group();
    var holder =
        group.isPresent()
            ? facts.holder("/dev/vfio/" + group.getAsInt())
            : Optional.<String>empty();
    return holder
        .or(() -> facts.deviceNode(device.address()).flatMap(facts::holder))
        .map(process -> "; process " + process + " has it open")
        .orElse("");
  }

  /** Resets, once nothing is known to stand in the way. */
  void perform() {
    var scope = scope();
    if (!scope.isPossible()) {
      throw new VfioException(
          RESET,
          file.name(),
          null,
          join(scope.obstacles().stream().map(HotResetScope.Obstacle::meaning).toList()),
          join(scope.obstacles().stream().map(HotResetScope.Obstacle::nextStep).toList()));
    }
    var groups =
        scope.devices().stream()
            .filter(device -> device.deviceId().isEmpty())
            .flatMap(device -> device.group().stream().boxed())
            .distinct()
            .flatMap(group -> owner.groupFile(group).stream())
            .toList();
    try (var arena = Arena.ofConfined()) {
      var reset =
          arena.allocate(
              VfioPciHotReset.BYTES + (long) groups.size() * Integer.BYTES,
              Layouts.U32.byteAlignment());
      VfioPciHotReset.ARGSZ.set(reset, (int) reset.byteSize());
      VfioPciHotReset.COUNT.set(reset, groups.size());
      for (int i = 0; i < groups.size(); i++) {
        reset.set(
            Layouts.U32, VfioPciHotReset.BYTES + (long) i * Integer.BYTES, groups.get(i).fd());
      }
      var event = Jfr.isInUse() ? DeviceResetEvent.started() : null;
      int result = file.ioctl(Vfio.VFIO_DEVICE_PCI_HOT_RESET, reset);
      if (event != null) {
        event.ended(address.toString(), "bus", result);
      }
      if (result < 0) {
        throw refusal(RESET, Errno.ofResult(result));
      }
    }
  }

  private static String join(List<String> sentences) {
    return sentences.stream()
        .filter(one -> !one.isEmpty())
        .distinct()
        .collect(Collectors.joining(" "));
  }

  private VfioException refusal(String operation, Errno errno) {
    return Explanations.hotReset(errno).failure(operation, file.name(), errno);
  }
}
