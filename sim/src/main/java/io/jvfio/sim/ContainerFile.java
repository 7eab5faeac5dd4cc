package io.jvfio.sim;

/** An open {@code /dev/vfio/vfio}. Closing it frees nothing that a group still holds. */
final class ContainerFile extends OpenFile {
  final Container container;

  ContainerFile(Container container) {
    this.container = container;
  }

  @Override
  String path() {
    return "/dev/vfio/vfio";
  }

  @Override
  int ioctl(int command, UserArgument argument) throws UserFault {
    return container.ioctl(command, argument);
  }
}
