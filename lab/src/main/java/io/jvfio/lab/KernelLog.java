// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes what runs into the kernel's own log, so that a warning there, or the last words of a
 * kernel that dies, name what provoked them; and reads the warnings.
 */
final class KernelLog implements Transcript.Progress, Campaign.Alarms, AutoCloseable {
  /** What each line of this program starts with. */
  static final String PREFIX = "conformance: ";

  /** Without this the kernel drops lines that come too fast. */
  private static final Path UNLIMITED = Path.of("/proc/sys/kernel/printk_devkmsg");

  /** Reads of the log end instead of waiting for more; the same on all architectures here. */
  private static final int O_NONBLOCK = 0x800;

  private static final int LONGEST_RECORD = 8192;

  /** EPIPE: records were overwritten before they were read, and the rest follows. */
  private static final int OVERWRITTEN = -32;

  private final OutputStream log;
  private final boolean steps;

  /** The log for reading, or a negated errno. */
  private final int records;

  private KernelLog(OutputStream log, boolean steps) {
    this.log = log;
    this.steps = steps;
    this.records = LinuxKernel.instance().open("/dev/kmsg", Kernel.O_RDONLY | O_NONBLOCK);
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

  @Override
  public List<String> take() {
    var alarms = new ArrayList<String>();
    if (records < 0) {
      return alarms;
    }
    try (var arena = Arena.ofConfined()) {
      var record = arena.allocate(LONGEST_RECORD);
      while (true) {
        long count = LinuxKernel.instance().pread(records, record, 0);
        if (count == OVERWRITTEN) {
          continue;
        }
        if (count <= 0) {
          return alarms;
        }
        var bytes = record.asSlice(0, count).toArray(ValueLayout.JAVA_BYTE);
        var message = message(new String(bytes, StandardCharsets.UTF_8));
        if (KernelDefects.isAlarm(message)) {
          alarms.add(message);
        }
      }
    }
  }

  /** The message of a record, which comes after its numbers and before its properties. */
  static String message(String record) {
    return record.substring(record.indexOf(';') + 1).lines().findFirst().orElse("");
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
    if (records >= 0) {
      LinuxKernel.instance().close(records);
    }
    try {
      log.close();
    } catch (IOException e) {
      // as above
    }
  }
}
