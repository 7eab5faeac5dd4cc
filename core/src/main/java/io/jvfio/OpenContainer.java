package io.jvfio;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioGroupStatus;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/**
 * A container and the one group in it: the two descriptors, and what must outlive every mapping
 * made through them.
 *
 * <p>Not safe for use by several threads at once.
 */
final class OpenContainer implements AutoCloseable {
  private static final String CONTAINER_NODE = "/dev/vfio/vfio";

  private final Kernel kernel;
  private final Explanations explanations;
  private final IommuGroup group;
  private final OpenFile containerFile;
  private final OpenFile groupFile;
  private final List<Runnable> afterDetach = new ArrayList<>();

  private OpenContainer(
      Kernel kernel,
      Explanations explanations,
      IommuGroup group,
      OpenFile containerFile,
      OpenFile groupFile) {
    this.kernel = kernel;
    this.explanations = explanations;
    this.group = group;
    this.containerFile = containerFile;
    this.groupFile = groupFile;
  }

  /**
   * Opens a container and puts {@code group} into it; no IOMMU type is set yet.
   *
   * @throws VfioException naming the step that failed; nothing stays open
   */
  static OpenContainer open(Kernel kernel, Explanations explanations, IommuGroup group) {
    try (var undo = new Cleanup()) {
      int containerFd = kernel.open(CONTAINER_NODE, Kernel.O_RDWR);
      if (containerFd < 0) {
        var errno = Errno.ofResult(containerFd);
        throw failure("open", CONTAINER_NODE, errno, explanations.openContainer(errno));
      }
      var containerFile = new OpenFile(kernel, CONTAINER_NODE, containerFd);
      undo.add(containerFile::close);
      checkVersion(containerFile);

      int groupFd = kernel.open(group.node(), Kernel.O_RDWR);
      if (groupFd < 0) {
        var errno = Errno.ofResult(groupFd);
        throw failure("open", group.node(), errno, explanations.openGroup(group, errno));
      }
      var groupFile = new OpenFile(kernel, group.node(), groupFd);
      undo.add(groupFile::close);
      checkViability(groupFile, group);

      var opened = new OpenContainer(kernel, explanations, group, containerFile, groupFile);
      opened.attach();
      undo.release();
      return opened;
    }
  }

  private static void checkVersion(OpenFile container) {
    int version = container.ioctl(Vfio.VFIO_GET_API_VERSION, 0);
    if (version != Vfio.VFIO_API_VERSION) {
      throw version < 0
          ? failure(
              Vfio.VFIO_GET_API_VERSION.name(),
              container.name(),
              Errno.ofResult(version),
              new Explanation(
                  "The node is no VFIO container.", "Look what is behind it with 'ls -l'."))
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
      var status = VfioGroupStatus.allocate(arena);
      int result = groupFile.ioctl(Vfio.VFIO_GROUP_GET_STATUS, status);
      if (result < 0) {
        throw failure(
            Vfio.VFIO_GROUP_GET_STATUS.name(),
            group.label(),
            Errno.ofResult(result),
            new Explanation("The group has gone.", "Bind its devices to vfio-pci again."));
      }
      if ((VfioGroupStatus.flags(status) & Vfio.VFIO_GROUP_FLAGS_VIABLE) == 0) {
        var why = Explanations.notViable(group);
        throw new VfioException(
            Vfio.VFIO_GROUP_GET_STATUS.name(),
            group.label(),
            null,
            "The group is not viable. " + why.meaning(),
            why.nextStep());
      }
    }
  }

  private void attach() {
    try (var arena = Arena.ofConfined()) {
      int result =
          groupFile.ioctl(
              Vfio.VFIO_GROUP_SET_CONTAINER, arena.allocateFrom(Layouts.U32, containerFile.fd()));
      if (result < 0) {
        var errno = Errno.ofResult(result);
        throw failure(
            Vfio.VFIO_GROUP_SET_CONTAINER.name(),
            group.label(),
            errno,
            explanations.setContainer(group, errno));
      }
    }
  }

  /** Takes the group out and puts it in again, which undoes SET_IOMMU and everything done since. */
  void startOver() {
    int result = groupFile.ioctl(Vfio.VFIO_GROUP_UNSET_CONTAINER, 0);
    if (result < 0) {
      throw failure(
          Vfio.VFIO_GROUP_UNSET_CONTAINER.name(),
          group.label(),
          Errno.ofResult(result),
          new Explanation(
              "The group cannot leave its container, so no other IOMMU type can be tried.", ""));
    }
    runAfterDetach();
    attach();
  }

  Kernel kernel() {
    return kernel;
  }

  Explanations explanations() {
    return explanations;
  }

  IommuGroup group() {
    return group;
  }

  OpenFile containerFile() {
    return containerFile;
  }

  OpenFile groupFile() {
    return groupFile;
  }

  /** Runs {@code step} once no device can reach memory through this container any more. */
  void afterDetach(Runnable step) {
    afterDetach.add(step);
  }

  private void runAfterDetach() {
    afterDetach.forEach(Runnable::run);
    afterDetach.clear();
  }

  /** Closes the group, which detaches it, and the container. Its devices must be closed. */
  @Override
  public void close() {
    try (var steps = new Cleanup()) {
      steps.add(this::runAfterDetach);
      steps.add(containerFile::close);
      steps.add(groupFile::close);
    }
  }

  private static VfioException failure(
      String operation, String subject, Errno errno, Explanation explanation) {
    return new VfioException(
        operation, subject, errno, explanation.meaning(), explanation.nextStep());
  }
}
