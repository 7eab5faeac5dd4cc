package io.jvfio.lab;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Writes what runs into the kernel's own log, so that a warning there, or the last words of a
 * kernel that dies, name what provoked them.
 */
final class KernelLog implements Transcript.Progress, AutoCloseable {
  /** What each line of this program starts with. */
  static final String PREFIX = "conformance: ";

  /** Without this the kernel drops lines that come too fast. */
  private static final Path UNLIMITED = Path.of("/proc/sys/kernel/printk_devkmsg");

  private final OutputStream log;
  private final boolean steps;

  private KernelLog(OutputStream log, boolean steps) {
    this.log = log;
    this.steps = steps;
  }

  /**
   * The log, or none for a user who may not write it.
   *
   * @param steps whether to write each step too
   */
  static KernelLog open(boolean steps) {
    var file = Path.of("/dev/kmsg");
    try {
      if (Files.isWritable(UNLIMITED)) {
        Files.writeString(UNLIMITED, "on\n");
      }
      return new KernelLog(
          Files.isWritable(file)
              ? Files.newOutputStream(file, StandardOpenOption.WRITE)
              : OutputStream.nullOutputStream(),
          steps);
    } catch (IOException e) {
      return new KernelLog(OutputStream.nullOutputStream(), steps);
    }
  }

  @Override
  public void begin(Sequence sequence) {
    write(sequence.name());
  }

  @Override
  public void begin(Step step) {
    if (steps) {
      write(step.toString());
    }
  }

  private void write(String text) {
    try {
      log.write((PREFIX + text + "\n").getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      // The log is a help, not a result.
    }
  }

  @Override
  public void close() {
    try {
      log.close();
    } catch (IOException e) {
      // as above
    }
  }
}
