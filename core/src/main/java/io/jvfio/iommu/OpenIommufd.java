// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

import io.jvfio.IommuGroup;
import io.jvfio.PciAddress;
import io.jvfio.kernel.Cleanup;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.GroupAdvice;
import io.jvfio.kernel.HostFacts;
import io.jvfio.kernel.OpenFile;
import io.jvfio.kernel.Refusal;
import io.jvfio.kernel.VfToken;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.IommuIoasAlloc;
import io.jvfio.linux.uapi.Iommufd;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioDeviceAttachIommufdPt;
import io.jvfio.linux.uapi.VfioDeviceBindIommufd;
import io.jvfio.spi.Explanation;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * An iommufd with one IOAS, and the devices bound to it through character devices of their own.
 * Source: {@code include/uapi/linux/iommufd.h}, {@code drivers/vfio/device_cdev.c}.
 *
 * <p>One device of each group is attached from the start, since the valid addresses depend on it;
 * {@link #openDevice} hands it out. Closing a device's descriptor detaches and unbinds it.
 *
 * <p>Not safe for use by several threads at once.
 */
public final class OpenIommufd implements GroupAccess {
  private static final String NODE = "/dev/iommu";

  private final HostFacts facts;
  private final Explanations explanations;
  private final OpenFile file;
  private final int ioas;
  private final List<IommuGroup> groups = new ArrayList<>();
  private final List<Bound> bound = new ArrayList<>();

  /** Whether the writes of devices are recorded: of those attached when that began. */
  private volatile boolean tracked;

  /** A device that is bound; {@code handedOut} once somebody else closes its file. */
  static final class Bound {
    final PciAddress address;
    final OpenFile file;
    final int deviceId;
    private boolean handedOut;

    Bound(PciAddress address, OpenFile file, int deviceId) {
      this.address = address;
      this.file = file;
      this.deviceId = deviceId;
    }
  }

  private OpenIommufd(HostFacts facts, OpenFile file, int ioas) {
    this.facts = facts;
    this.explanations = new Explanations(facts);
    this.file = file;
    this.ioas = ioas;
  }

  /** Opens an iommufd with an IOAS and attaches one device of {@code group}. */
  public static OpenIommufd open(HostFacts facts, IommuGroup group) throws Refusal {
    var kernel = facts.kernel();
    try (var undo = new Cleanup();
        var arena = Arena.ofConfined()) {
      int fd = kernel.open(NODE, Kernel.O_RDWR);
      if (fd < 0) {
        throw Refusal.answered(
            "open(" + NODE + ")", fd, Explanations.openIommufd(Errno.ofResult(fd)));
      }
      var file = new OpenFile(kernel, NODE, fd);
      undo.add(file::close);
      var alloc = IommuIoasAlloc.STRUCT.allocate(arena);
      int result = file.ioctl(Iommufd.IOMMU_IOAS_ALLOC, alloc);
      if (result != 0) {
        throw IommuDomain.refusal(Iommufd.IOMMU_IOAS_ALLOC, result, _ -> Explanations.unexpected());
      }
      var opened = new OpenIommufd(facts, file, IommuIoasAlloc.OUT_IOAS_ID.get(alloc));
      undo.add(opened::close);
      opened.attachOneOf(group);
      undo.release();
      return opened;
    }
  }

  private void attachOneOf(IommuGroup group) throws Refusal {
    var device =
        group.devices().stream()
            .filter(one -> facts.deviceNode(one.address()).isPresent())
            .findFirst()
            .orElseThrow(() -> new IllegalArgumentException(group.label() + " has no device node"));
    groups.add(group);
    try {
      bound.add(bind(device.address()));
    } catch (Refusal refusal) {
      groups.remove(group);
      throw refusal;
    }
  }

  private Bound bind(PciAddress address) throws Refusal {
    var node =
        facts
            .deviceNode(address)
            .orElseThrow(
                () ->
                    Refusal.notAsked(
                        "lookup",
                        new Explanation(
                            "The device is not bound to a VFIO driver.",
                            new GroupAdvice(facts).bind(address))));
    int fd = facts.kernel().open(node, Kernel.O_RDWR);
    if (fd < 0) {
      throw Refusal.answered(
          "open(" + node + ")", fd, explanations.openDeviceNode(node, Errno.ofResult(fd)));
    }
    try (var undo = new Cleanup();
        var arena = Arena.ofConfined()) {
      var device = new OpenFile(facts.kernel(), "device " + address, fd);
      undo.add(device::close);
      var bind = bindStruct(arena, facts.token(address));
      int result = device.ioctl(Vfio.VFIO_DEVICE_BIND_IOMMUFD, bind);
      if (result == Errno.EINVAL.result() && facts.token(address).isPresent()) {
        // Linux before 6.17 neither takes a token here nor asks for one.
        bind = bindStruct(arena, Optional.empty());
        result = device.ioctl(Vfio.VFIO_DEVICE_BIND_IOMMUFD, bind);
      }
      check(Vfio.VFIO_DEVICE_BIND_IOMMUFD, result, node);
      var made = new Bound(address, device, VfioDeviceBindIommufd.OUT_DEVID.get(bind));
      attach(made, ioas);
      undo.release();
      return made;
    }
  }

  private MemorySegment bindStruct(Arena arena, Optional<UUID> token) {
    var bind =
        token
            .map(uuid -> VfioDeviceBindIommufd.allocate(arena, VfToken.bytes(arena, uuid)))
            .orElseGet(() -> VfioDeviceBindIommufd.STRUCT.allocate(arena));
    VfioDeviceBindIommufd.IOMMUFD.set(bind, file.fd());
    return bind;
  }

  private void check(Ioctl command, int result, String node) throws Refusal {
    if (result != 0) {
      throw IommuDomain.refusal(command, result, errno -> explanations.useDeviceNode(node, errno));
    }
  }

  /** Attaches to an IOAS or a HWPT, or replaces what the device is attached to. */
  void attach(Bound device, int pageTable) throws Refusal {
    try (var arena = Arena.ofConfined()) {
      var attach = VfioDeviceAttachIommufdPt.STRUCT.allocate(arena);
      VfioDeviceAttachIommufdPt.PT_ID.set(attach, pageTable);
      check(
          Vfio.VFIO_DEVICE_ATTACH_IOMMUFD_PT,
          device.file.ioctl(Vfio.VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach),
          device.file.name());
    }
  }

  /** Says whether the writes of devices are recorded from now on; no others come in then. */
  void isTracked(boolean on) {
    tracked = on;
  }

  HostFacts facts() {
    return facts;
  }

  Explanations explanations() {
    return explanations;
  }

  OpenFile file() {
    return file;
  }

  int ioas() {
    return ioas;
  }

  /** The devices that are attached now. */
  List<Bound> attached() {
    bound.removeIf(one -> one.file.isClosed());
    return List.copyOf(bound);
  }

  @Override
  public boolean join(IommuGroup group) {
    try {
      attachOneOf(group);
      return true;
    } catch (Refusal refusal) {
      if (refusal.errno().filter(Errno.EINVAL::equals).isPresent()) {
        return false; // an IOMMU that cannot share these page tables
      }
      throw refusal.of(group.label());
    }
  }

  @Override
  public synchronized OpenFile openDevice(PciAddress address) {
    try {
      for (var one : attached()) {
        if (one.address.equals(address) && !one.handedOut) {
          one.handedOut = true;
          return one.file;
        }
      }
      if (groups.stream()
          .flatMap(group -> group.devices().stream())
          .noneMatch(device -> device.address().equals(address))) {
        throw Refusal.notAsked(
            "lookup", new Explanation("The device is in none of the open groups.", ""));
      }
      if (tracked) {
        throw Refusal.notAsked(
            "attach",
            new Explanation(
                "Dirty pages are being tracked, and the writes of a further device would be missed.",
                "Open all devices first, or end the tracking."));
      }
      var device = bind(address);
      device.handedOut = true;
      bound.add(device);
      return device.file;
    } catch (Refusal refusal) {
      throw refusal.of("device " + address);
    }
  }

  @Override
  public Optional<OpenFile> groupFile(int group) {
    return Optional.empty(); // ownership is the iommufd's
  }

  @Override
  public Optional<OpenFile> eeh() {
    return Optional.empty(); // POWER has no character devices
  }

  @Override
  public void close() {
    try (var steps = new Cleanup()) {
      steps.add(file::close);
      bound.forEach(one -> steps.add(one.file::close));
    }
  }
}
