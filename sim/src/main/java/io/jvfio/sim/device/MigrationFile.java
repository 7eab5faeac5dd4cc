// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.VfioPrecopyInfo;
import io.jvfio.sim.files.OpenFile;
import io.jvfio.sim.files.VfioCommand;
import io.jvfio.sim.memory.UserArgument;
import io.jvfio.sim.memory.UserFault;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A stream of migration data. It outlives the state that it belongs to, and answers ENODEV then.
 * Source of its answers: {@code include/uapi/linux/vfio.h}, {@code drivers/vfio/pci/mlx5/main.c}.
 */
final class MigrationFile extends OpenFile {
  /** What a stream may have at most, so that a hostile writer takes no more memory. */
  private static final int MOST_BYTES = 64 << 20;

  private static final Errno ESPIPE = Errno.of(29);

  private final VariantDriver driver;
  private final boolean readable;
  private final ByteArrayOutputStream content = new ByteArrayOutputStream();
  private int position;

  /** How many bytes there were at the start of what is copied while the device runs. */
  private int initialBytes;

  private boolean ended;

  private MigrationFile(VariantDriver driver, boolean readable) {
    super(readable ? "anon_inode:sim_mig_save" : "anon_inode:sim_mig_resume");
    this.driver = driver;
    this.readable = readable;
  }

  /** A stream that has {@code data} to begin with. */
  static MigrationFile forReading(VariantDriver driver, byte[] data) {
    var file = new MigrationFile(driver, true);
    file.append(data);
    file.initialBytes = data.length;
    return file;
  }

  static MigrationFile forWriting(VariantDriver driver) {
    return new MigrationFile(driver, false);
  }

  void append(byte[] data) {
    content.writeBytes(data);
  }

  byte[] written() {
    return content.toByteArray();
  }

  /** The state that it belongs to is left. */
  void end() {
    ended = true;
  }

  @Override
  public int ioctl(int command, UserArgument argument) throws UserFault {
    if (command != VfioCommand.MIG_GET_PRECOPY_INFO || !readable) {
      return Errno.ENOTTY.result();
    }
    var info = argument.copyIn(VfioPrecopyInfo.BYTES);
    if (UserArgument.isShort(VfioPrecopyInfo.ARGSZ.get(info), VfioPrecopyInfo.BYTES)
        || !driver.isCopyingWhileRunning()) {
      return Errno.EINVAL.result();
    }
    if (ended) {
      return Errno.ENODEV.result();
    }
    int left = content.size() - position;
    VfioPrecopyInfo.INITIAL_BYTES.set(info, Math.clamp((long) initialBytes - position, 0, left));
    VfioPrecopyInfo.DIRTY_BYTES.set(info, Math.min(left, content.size() - initialBytes));
    argument.copyOut(0, info, VfioPrecopyInfo.BYTES);
    return 0;
  }

  @Override
  public long pread(MemorySegment target, long offset) {
    return ESPIPE.result();
  }

  @Override
  public long pwrite(MemorySegment source, long offset) {
    return ESPIPE.result();
  }

  @Override
  public long read(MemorySegment target) {
    if (!readable) {
      return Errno.EBADF.result();
    }
    if (ended) {
      return Errno.ENODEV.result();
    }
    int count = (int) Math.min(target.byteSize(), content.size() - position);
    if (count == 0) {
      return target.byteSize() > 0 && driver.isCopyingWhileRunning() ? Errno.ENOMSG.result() : 0;
    }
    MemorySegment.copy(content.toByteArray(), position, target, ValueLayout.JAVA_BYTE, 0, count);
    position += count;
    return count;
  }

  @Override
  public long write(MemorySegment source) {
    if (readable) {
      return Errno.EBADF.result();
    }
    if (ended) {
      return Errno.ENODEV.result();
    }
    if (source.byteSize() > MOST_BYTES - content.size()) {
      return Errno.ENOMEM.result();
    }
    content.writeBytes(source.toArray(ValueLayout.JAVA_BYTE));
    return source.byteSize();
  }
}
