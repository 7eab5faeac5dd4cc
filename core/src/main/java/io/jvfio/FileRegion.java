// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.kernel.OpenFile;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.RegisterOrder;
import io.jvfio.linux.Registers;
import io.jvfio.linux.uapi.Vfio;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;

/** A region behind a VFIO device descriptor. */
final class FileRegion implements Region {
  private final Kernel kernel;
  private final FileDevice device;
  private final OpenFile file;
  private final RegionInfo info;
  private final long fileOffset;
  private final List<MappableArea> areas;

  FileRegion(
      Kernel kernel,
      FileDevice device,
      OpenFile file,
      RegionInfo info,
      long fileOffset,
      List<MappableArea> areas) {
    this.kernel = kernel;
    this.device = device;
    this.file = file;
    this.info = info;
    this.fileOffset = fileOffset;
    this.areas = areas;
  }

  @Override
  public RegionInfo info() {
    return info;
  }

  @Override
  public void read(long offset, MemorySegment target) {
    Objects.checkFromIndexSize(offset, target.byteSize(), info.byteSize());
    check("pread", offset, target.byteSize(), file.read(target, fileOffset + offset));
  }

  @Override
  public void write(long offset, MemorySegment source) {
    Objects.checkFromIndexSize(offset, source.byteSize(), info.byteSize());
    check("pwrite", offset, source.byteSize(), file.write(source, fileOffset + offset));
  }

  /**
   * Writes registers that lie behind each other.
   *
   * @return whether there is a better way than one by one; otherwise nothing was done
   */
  boolean writeEach(long offset, MemorySegment source, int width) {
    Objects.checkFromIndexSize(offset, source.byteSize(), info.byteSize());
    long result = device.writeEach(fileOffset + offset, source, width);
    if (result == Errno.ENOTTY.result()) {
      return false;
    }
    check("pwrite", offset, source.byteSize(), result);
    return true;
  }

  private void check(String operation, long offset, long expected, long result) {
    if (result < 0) {
      throw failure(operation, offset, Errno.ofResult(result));
    }
    if (result != expected) {
      throw new VfioException(
          operation,
          subject(offset),
          null,
          "Only %,d of %,d bytes were transferred.".formatted(result, expected),
          "The device may have been reset meanwhile.");
    }
  }

  private VfioException failure(String operation, long offset, Errno errno) {
    // What the rest rests on has no further place to look at.
    var why =
        info.index() == Vfio.VFIO_PCI_CONFIG_REGION_INDEX || !errno.equals(Errno.EIO)
            ? file.answers().device(errno)
            : device.health().whyNoAnswer();
    return why.failure(operation, subject(offset), errno);
  }

  private String subject(long offset) {
    return "%s, %s at offset 0x%x".formatted(file.name(), info.label(), offset);
  }

  @Override
  public List<MappableArea> mappableAreas() {
    return areas;
  }

  @Override
  public boolean isMemory() {
    return device.mapsMemory();
  }

  @Override
  public Registers map(MappableArea area, RegisterOrder order) {
    if (!areas.contains(area)) {
      throw new IllegalArgumentException(
          area + " is no mappable area of " + info.label() + "; there are " + areas);
    }
    int protection =
        (info.readable() ? Kernel.PROT_READ : 0) | (info.writable() ? Kernel.PROT_WRITE : 0);
    long address = file.map(area.byteSize(), protection, fileOffset + area.offset());
    if (address < 0) {
      var errno = Errno.ofResult(address);
      throw file.answers().mapRegion(errno).failure("mmap", subject(area.offset()), errno);
    }
    return device.adopt(
        new MappedRegion(
            kernel, subject(area.offset()), device.health(), address, area.byteSize(), order));
  }

  @Override
  public IoEventFd ioEventFd(long offset, int width, long value) {
    Objects.checkFromIndexSize(offset, width, info.byteSize());
    if (width > Long.BYTES || Integer.bitCount(width) != 1) {
      throw new IllegalArgumentException("a register has 1, 2, 4 or 8 bytes, not " + width);
    }
    return device.adopt(
        IoEventFd.open(kernel, file, subject(offset), fileOffset + offset, width, value));
  }

  @Override
  public Registers registers(RegisterOrder order) {
    var whole = new MappableArea(0, info.byteSize());
    return areas.contains(whole)
        ? map(whole, order)
        : device.adopt(new FileRegisters(this, subject(0), device.health()));
  }
}
