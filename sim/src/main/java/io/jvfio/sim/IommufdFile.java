package io.jvfio.sim;

/** An open {@code /dev/iommu}. A group or a device that uses it keeps it open. */
final class IommufdFile extends OpenFile {
  final Iommufd iommufd;

  IommufdFile(Host host) {
    this.iommufd = new Iommufd(host, this);
  }

  @Override
  String path() {
    return "/dev/iommu";
  }

  @Override
  int ioctl(int command, UserArgument argument) throws UserFault {
    return iommufd.ioctl(command, argument);
  }

  @Override
  void release() {
    iommufd.release();
  }
}
