// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;

/** Memory of a client: a file of which it hands out descriptors, and which it may shorten. */
public final class SharedFile implements AutoCloseable {
  private static final LinuxKernel KERNEL = LinuxKernel.instance();

  private final int fd;

  public SharedFile(long byteSize) {
    fd = KERNEL.memoryFile("client", 0, byteSize);
    if (fd < 0) {
      throw new AssertionError("memfd_create: " + fd);
    }
  }

  /** A descriptor of its own for whoever takes it over. */
  public int descriptor() {
    return descriptor(Kernel.O_RDWR);
  }

  public int descriptor(int flags) {
    return KERNEL.open("/proc/self/fd/" + fd, flags);
  }

  /** The client's own descriptor. */
  public int number() {
    return fd;
  }

  public void resize(long byteSize) {
    resize(fd, byteSize);
  }

  public static void resize(int fd, long byteSize) {
    try (var file = new RandomAccessFile("/proc/self/fd/" + fd, "rw")) {
      file.setLength(byteSize);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Resizes a file, if whoever owns it lets us. */
  static void tryResize(int fd, long byteSize) {
    try (var file = new RandomAccessFile("/proc/self/fd/" + fd, "rw")) {
      file.setLength(byteSize);
    } catch (IOException e) {
      // It is sealed, as it should be.
    }
  }

  public byte[] bytes(long offset, int length) {
    try (var arena = Arena.ofConfined()) {
      var memory = arena.allocate(length);
      assertThat(KERNEL.pread(fd, memory, offset)).isEqualTo(length);
      return memory.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  public void write(long offset, byte... bytes) {
    try (var arena = Arena.ofConfined()) {
      var memory = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
      assertThat(KERNEL.pwrite(fd, memory, offset)).isEqualTo(bytes.length);
    }
  }

  /** How many descriptors this process has. */
  public static long openDescriptors() {
    try (var entries = Files.list(Path.of("/proc/self/fd"))) {
      return entries.count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** How many mappings of such files this process has. */
  public static long mappings() {
    try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines.filter(line -> line.contains("memfd:client")).count();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    KERNEL.close(fd);
  }
}
