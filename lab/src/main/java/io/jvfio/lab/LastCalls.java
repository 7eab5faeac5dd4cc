package io.jvfio.lab;

import io.jvfio.linux.Architecture;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Ioctl;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.linux.Registers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The kernel of this machine, which remembers between {@link #begin} and {@link #end} what was
 * asked of it by ioctls with a struct, so that it can be asked the same again.
 */
final class LastCalls implements Kernel {
  /**
   * One call.
   *
   * @param struct a copy of what it pointed to, as it was before the call
   */
  record Call(int fd, long request, MemorySegment struct) {}

  private final LinuxKernel kernel = LinuxKernel.instance();
  private final Map<Ioctl, Call> calls = new HashMap<>();
  private boolean recording;

  void begin() {
    calls.clear();
    recording = true;
  }

  /** The last call of each command since {@link #begin}. */
  Map<Ioctl, Call> end() {
    recording = false;
    return Map.copyOf(calls);
  }

  @Override
  public int ioctl(int fd, Ioctl command, MemorySegment argument) {
    if (recording) {
      var struct = Arena.global().allocate(argument.byteSize(), Long.BYTES).copyFrom(argument);
      calls.put(command, new Call(fd, command.requestNumber(architecture()), struct));
    }
    return kernel.ioctl(fd, command, argument);
  }

  @Override
  public int ioctl(int fd, Ioctl command, long argument) {
    return kernel.ioctl(fd, command, argument);
  }

  @Override
  public Architecture architecture() {
    return kernel.architecture();
  }

  @Override
  public int pageSize() {
    return kernel.pageSize();
  }

  @Override
  public int open(String path, int flags) {
    return kernel.open(path, flags);
  }

  @Override
  public int close(int fd) {
    return kernel.close(fd);
  }

  @Override
  public long pread(int fd, MemorySegment target, long offset) {
    return kernel.pread(fd, target, offset);
  }

  @Override
  public long pwrite(int fd, MemorySegment source, long offset) {
    return kernel.pwrite(fd, source, offset);
  }

  @Override
  public long mmap(long byteSize, int protection, int flags, int fd, long offset) {
    return kernel.mmap(byteSize, protection, flags, fd, offset);
  }

  @Override
  public int munmap(long address, long byteSize) {
    return kernel.munmap(address, byteSize);
  }

  @Override
  public int memoryFile(String name, int flags, long byteSize) {
    return kernel.memoryFile(name, flags, byteSize);
  }

  @Override
  public int mlock(long address, long byteSize) {
    return kernel.mlock(address, byteSize);
  }

  @Override
  public int munlock(long address, long byteSize) {
    return kernel.munlock(address, byteSize);
  }

  @Override
  public MemorySegment memory(long address, long byteSize, Arena lifetime) {
    return kernel.memory(address, byteSize, lifetime);
  }

  @Override
  public Registers registers(long address, long byteSize) {
    return kernel.registers(address, byteSize);
  }

  @Override
  public long lockedMemoryLimit() {
    return kernel.lockedMemoryLimit();
  }

  @Override
  public List<String> list(String directory) throws ErrnoException {
    return kernel.list(directory);
  }

  @Override
  public String readLink(String path) throws ErrnoException {
    return kernel.readLink(path);
  }
}
