// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static java.util.stream.Collectors.joining;

import io.jvfio.linux.Ioctl;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.StringJoiner;

/** One system call, described as data. Its text is what a recording calls it by. */
sealed interface Step {

  /**
   * Opens a file.
   *
   * @param file what later steps call it by
   * @param path its path, with the placeholders of {@link Machine}
   */
  record Open(String file, String path, int flags) implements Step {
    @Override
    public String toString() {
      return "%s=open(%s,%d)".formatted(file, path, flags);
    }
  }

  /** Closes a file. */
  record Close(String file) implements Step {
    @Override
    public String toString() {
      return "close(%s)".formatted(file);
    }
  }

  /** An ioctl that takes a number. */
  record Command(String file, Ioctl command, Operand argument) implements Step {
    @Override
    public String toString() {
      return "ioctl(%s,%s,%s)".formatted(file, command, argument);
    }
  }

  /**
   * An ioctl that takes a struct.
   *
   * @param shape the struct
   * @param byteSize how much memory there is for it, which may be more than the struct
   * @param fields what the caller fills in; anything else is zero
   * @param keep which output is kept under which name for later steps
   */
  record Structured(
      String file,
      Ioctl command,
      Shape shape,
      long byteSize,
      SequencedMap<String, Operand> fields,
      Map<String, String> keep)
      implements Step {

    public Structured {
      fields.keySet().forEach(shape::field);
      keep.keySet().forEach(shape::field);
      fields = new LinkedHashMap<>(fields);
      keep = Map.copyOf(keep);
    }

    @Override
    public String toString() {
      var values =
          fields.entrySet().stream()
              .map(field -> field.getKey() + "=" + field.getValue())
              .collect(joining(" "));
      var kept = keep.values().stream().sorted().map(name -> "$" + name + "=").collect(joining());
      return "%sioctl(%s,%s,{%s})".formatted(kept, file, command, values);
    }
  }

  /**
   * An ioctl that takes a name and opens a file.
   *
   * @param opened what later steps call the opened file by
   * @param name the name, with the placeholders of {@link Machine}
   */
  record Named(String opened, String file, Ioctl command, String name) implements Step {
    @Override
    public String toString() {
      return "%s=ioctl(%s,%s,\"%s\")".formatted(opened, file, command, name);
    }
  }

  /**
   * Maps anonymous memory, aligned to 2 MiB. After the sequence it stays mapped if any memory is
   * still locked: what a kernel may have pinned must not be given to the next sequence.
   */
  record Memory(String memory, long byteSize, int protection) implements Step {
    @Override
    public String toString() {
      return "%s=memory(0x%x,%d)".formatted(memory, byteSize, protection);
    }
  }

  /** Unmaps a part of anonymous memory. */
  record Hole(String memory, long offset, long byteSize) implements Step {
    @Override
    public String toString() {
      return "munmap(%s+0x%x,0x%x)".formatted(memory, offset, byteSize);
    }
  }

  /** Shows bytes of anonymous memory, where a kernel may have written. No system call. */
  record Look(String memory, long offset, int byteSize) implements Step {
    @Override
    public String toString() {
      return "look(%s,%d)".formatted(Operand.memory(memory, offset), byteSize);
    }
  }

  /** Puts 64-bit numbers into anonymous memory, where a struct may point. No system call. */
  record Store(String memory, long offset, List<Operand> numbers) implements Step {
    public Store {
      numbers = List.copyOf(numbers);
    }

    @Override
    public String toString() {
      return "store(%s,%s)".formatted(Operand.memory(memory, offset), numbers);
    }
  }

  /** Shows how much memory the process has pinned, which is not always locked. */
  record Pinned() implements Step {
    @Override
    public String toString() {
      return "pinned()";
    }
  }

  /** Reads from a file. */
  record Read(String file, Operand offset, int byteSize) implements Step {
    @Override
    public String toString() {
      return "pread(%s,%s,%d)".formatted(file, offset, byteSize);
    }
  }

  /**
   * Writes to a file.
   *
   * @param bytes the bytes in hexadecimal
   */
  record Write(String file, Operand offset, String bytes) implements Step {
    @Override
    public String toString() {
      return "pwrite(%s,%s,%s)".formatted(file, offset, bytes);
    }
  }

  /** Makes an eventfd. */
  record EventFd(String file, int initial, int flags) implements Step {
    @Override
    public String toString() {
      return "%s=eventfd(%d,0x%x)".formatted(file, initial, flags);
    }
  }

  /** Makes a set of files to wait for. */
  record Epoll(String file) implements Step {
    @Override
    public String toString() {
      return "%s=epoll()".formatted(file);
    }
  }

  /** Adds a file to a set, or removes it. */
  record Watch(String set, int operation, String file, int events) implements Step {
    @Override
    public String toString() {
      return "epoll_ctl(%s,%d,%s,%d)".formatted(set, operation, file, events);
    }
  }

  /** Asks, without waiting, which files of a set are ready; shows their names. */
  record Ready(String set, int most) implements Step {
    @Override
    public String toString() {
      return "epoll_wait(%s,%d)".formatted(set, most);
    }
  }

  /** Asks, without waiting, whether a file can be read. */
  record Poll(String file) implements Step {
    @Override
    public String toString() {
      return "poll(%s)".formatted(file);
    }
  }

  /** Reads from where a file is. It must not be one that would wait. */
  record Take(String file, int byteSize) implements Step {
    @Override
    public String toString() {
      return "read(%s,%d)".formatted(file, byteSize);
    }
  }

  /**
   * Writes to where a file is.
   *
   * @param bytes the bytes in hexadecimal
   */
  record Put(String file, String bytes) implements Step {
    @Override
    public String toString() {
      return "write(%s,%s)".formatted(file, bytes);
    }
  }

  /**
   * {@code VFIO_DEVICE_SET_IRQS}.
   *
   * @param data what follows the struct, a number for each interrupt
   * @param width the bytes of each: 1 or 4
   */
  record SetIrqs(
      String file,
      long argsz,
      int flags,
      long index,
      long start,
      long count,
      List<Operand> data,
      int width)
      implements Step {
    public SetIrqs {
      data = List.copyOf(data);
    }

    @Override
    public String toString() {
      return "ioctl(%s,VFIO_DEVICE_SET_IRQS,{argsz=%d flags=0x%x index=%d start=%d count=%d%s})"
          .formatted(
              file,
              argsz,
              flags,
              index,
              start,
              count,
              data.isEmpty() ? "" : " " + (width == 1 ? "bools=" : "fds=") + runs());
    }

    /** The numbers, with those that are repeated told once. */
    private String runs() {
      var text = new StringJoiner(",", "[", "]");
      for (int i = 0; i < data.size(); ) {
        int end = i + 1;
        while (end < data.size() && data.get(end).equals(data.get(i))) {
          end++;
        }
        text.add(data.get(i) + (end - i > 1 ? "*" + (end - i) : ""));
        i = end;
      }
      return text.toString();
    }
  }

  /** Maps a part of a device. */
  record MapDevice(
      String mapping, String file, Operand offset, long byteSize, int protection, int flags)
      implements Step {
    @Override
    public String toString() {
      return "%s=mmap(%s,%s,0x%x,%d,%d)"
          .formatted(mapping, file, offset, byteSize, protection, flags);
    }
  }

  /** Reads a 32-bit register through a mapping. No system call, but what mappings are for. */
  record Load(String mapping, long offset) implements Step {
    @Override
    public String toString() {
      return "load(%s+0x%x)".formatted(mapping, offset);
    }
  }

  /** Unmaps what {@link MapDevice} mapped. */
  record UnmapDevice(String mapping) implements Step {
    @Override
    public String toString() {
      return "munmap(%s)".formatted(mapping);
    }
  }
}
