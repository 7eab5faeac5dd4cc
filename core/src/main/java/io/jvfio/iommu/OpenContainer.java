// SPDX-License-Identifier: Apache-2.0
package io.jvfio.iommu;

import io.jvfio.IommuGroup;
import io.jvfio.PciAddress;
import io.jvfio.VfioException;
import io.jvfio.kernel.Cleanup;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.GroupAdvice;
import io.jvfio.kernel.OpenFile;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioGroupStatus;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A container and the groups in it.
 *
 * <p>Not safe for use by several threads at once.
 */
public final class OpenContainer implements GroupAccess {
  private static final String CONTAINER_NODE = "/dev/vfio/vfio";
  private static final String IOMMUFD_NODE = "/dev/iommu";

  private final Kernel kernel;
  private final Explanations explanations;
  private final OpenFile containerFile;
  private final Map<IommuGroup, OpenFile> groups = new LinkedHashMap<>();

  private OpenContainer(Kernel kernel, Explanations explanations, OpenFile containerFile) {
    this.kernel = kernel;
    this.explanations = explanations;
    this.containerFile = containerFile;
  }

  /**
   * Opens a container and puts {@code group} into it; no IOMMU type is set yet.
   *
   * @throws VfioException naming the step that failed; nothing stays open
   */
  public static OpenContainer open(Kernel kernel, Explanations explanations, IommuGroup group) {
    try (var undo = new Cleanup()) {
      var containerFile = openContainer(kernel, explanations);
      undo.add(containerFile::close);
      checkVersion(containerFile);
      var opened = new OpenContainer(kernel, explanations, containerFile);
      var groupFile = opened.openGroup(group);
      undo.add(groupFile::close);
      opened.requireAttached(group, groupFile);
      opened.groups.put(group, groupFile);
      undo.release();
      return opened;
    }
  }

  /** The container node, or an iommufd where it has taken the place of containers. */
  private static OpenFile openContainer(Kernel kernel, Explanations explanations) {
    int fd = kernel.open(CONTAINER_NODE, Kernel.O_RDWR);
    if (fd >= 0) {
      return new OpenFile(kernel, CONTAINER_NODE, fd);
    }
    var errno = Errno.ofResult(fd);
    if (errno.equals(Errno.ENOENT)) {
      int iommufd = kernel.open(IOMMUFD_NODE, Kernel.O_RDWR);
      if (iommufd >= 0) {
        return new OpenFile(kernel, IOMMUFD_NODE, iommufd);
      }
    }
    throw explanations.openContainer(errno).failure("open", CONTAINER_NODE, errno);
  }

  private OpenFile openGroup(IommuGroup group) {
    int fd = kernel.open(group.node(), Kernel.O_RDWR);
    if (fd < 0) {
      var errno = Errno.ofResult(fd);
      throw explanations.openGroup(group, errno).failure("open", group.node(), errno);
    }
    var groupFile = new OpenFile(kernel, group.node(), fd);
    try (var undo = new Cleanup()) {
      undo.add(groupFile::close);
      checkViability(groupFile, group);
      undo.release();
      return groupFile;
    }
  }

  private static void checkVersion(OpenFile container) {
    int version = container.ioctl(Vfio.VFIO_GET_API_VERSION, 0);
    if (version != Vfio.VFIO_API_VERSION) {
      throw version < 0
          ? new VfioException(
              Vfio.VFIO_GET_API_VERSION.name(),
              container.name(),
              Errno.ofResult(version),
              "The node is no VFIO container.",
              "Look what is behind it with 'ls -l'.")
          : new VfioException(
              Vfio.VFIO_GET_API_VERSION.name(),
              container.name(),
              null,
              "The kernel speaks version " + version + " of VFIO; jvfio knows only 0.",
              "Look for a newer jvfio.");
    }
  }

  private static void checkViability(OpenFile groupFile, IommuGroup group) {
    try (var arena = Arena.ofConfined()) {
      var status = VfioGroupStatus.STRUCT.allocate(arena);
      int result = groupFile.ioctl(Vfio.VFIO_GROUP_GET_STATUS, status);
      if (result < 0) {
        throw new VfioException(
            Vfio.VFIO_GROUP_GET_STATUS.name(),
            group.label(),
            Errno.ofResult(result),
            "The group has gone.",
            "Bind its devices to vfio-pci again.");
      }
      if ((VfioGroupStatus.FLAGS.get(status) & Vfio.VFIO_GROUP_FLAGS_VIABLE) == 0) {
        var why = GroupAdvice.notViable(group);
        throw new VfioException(
            Vfio.VFIO_GROUP_GET_STATUS.name(),
            group.label(),
            null,
            "The group is not viable. " + why.meaning(),
            why.nextStep());
      }
    }
  }

  private int attach(OpenFile groupFile) {
    try (var arena = Arena.ofConfined()) {
      return groupFile.ioctl(
          Vfio.VFIO_GROUP_SET_CONTAINER, arena.allocateFrom(Layouts.U32, containerFile.fd()));
    }
  }

  private void requireAttached(IommuGroup group, OpenFile groupFile) {
    int result = attach(groupFile);
    if (result < 0) {
      var errno = Errno.ofResult(result);
      throw explanations
          .setContainer(group, errno)
          .failure(Vfio.VFIO_GROUP_SET_CONTAINER.name(), group.label(), errno);
    }
  }

  @Override
  public boolean join(IommuGroup group) {
    try (var undo = new Cleanup()) {
      var groupFile = openGroup(group);
      undo.add(groupFile::close);
      if (attach(groupFile) < 0) {
        return false; // a container of its own tells whether more than sharing is wrong
      }
      groups.put(group, groupFile);
      undo.release();
      return true;
    }
  }

  /** Takes the groups out and puts them in again, which undoes SET_IOMMU and all done since. */
  public void startOver() {
    groups.forEach(
        (group, groupFile) -> {
          int result = groupFile.ioctl(Vfio.VFIO_GROUP_UNSET_CONTAINER, 0);
          if (result < 0) {
            throw new VfioException(
                Vfio.VFIO_GROUP_UNSET_CONTAINER.name(),
                group.label(),
                Errno.ofResult(result),
                "The group cannot leave its container, so no other IOMMU type can be tried.",
                "");
          }
        });
    groups.forEach(this::requireAttached);
  }

  Kernel kernel() {
    return kernel;
  }

  Explanations explanations() {
    return explanations;
  }

  public OpenFile containerFile() {
    return containerFile;
  }

  @Override
  public OpenFile openDevice(PciAddress address) {
    var groupFile =
        groups.entrySet().stream()
            .filter(
                entry ->
                    entry.getKey().devices().stream()
                        .anyMatch(device -> device.address().equals(address)))
            .map(Map.Entry::getValue)
            .findFirst()
            // The kernel knows best what is in a group, and says so.
            .orElseGet(() -> groups.values().iterator().next());
    try (var arena = Arena.ofConfined()) {
      var name =
          explanations
              .facts()
              .token(address)
              .map(token -> address + " vf_token=" + token)
              .orElse(address.toString());
      int fd = groupFile.ioctl(Vfio.VFIO_GROUP_GET_DEVICE_FD, arena.allocateFrom(name));
      if (fd < 0) {
        var errno = Errno.ofResult(fd);
        throw explanations
            .openDevice(address, errno)
            .failure(Vfio.VFIO_GROUP_GET_DEVICE_FD.name(), "device " + address, errno);
      }
      return new OpenFile(kernel, "device " + address, fd);
    }
  }

  @Override
  public Optional<OpenFile> groupFile(int group) {
    return groups.entrySet().stream()
        .filter(entry -> entry.getKey().id() == group)
        .map(Map.Entry::getValue)
        .findFirst();
  }

  /** The kernel asks all endpoints of a container at once, which means nothing for several. */
  @Override
  public Optional<OpenFile> eeh() {
    return groups.size() == 1 && containerFile.ioctl(Vfio.VFIO_CHECK_EXTENSION, Vfio.VFIO_EEH) > 0
        ? Optional.of(containerFile)
        : Optional.empty();
  }

  /** Closes the groups, which detaches them, and the container. Their devices must be closed. */
  @Override
  public void close() {
    try (var steps = new Cleanup()) {
      steps.add(containerFile::close);
      groups.values().forEach(groupFile -> steps.add(groupFile::close));
    }
  }
}
