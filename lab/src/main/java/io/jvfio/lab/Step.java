package io.jvfio.lab;

import static java.util.stream.Collectors.joining;

import io.jvfio.linux.Ioctl;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

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
