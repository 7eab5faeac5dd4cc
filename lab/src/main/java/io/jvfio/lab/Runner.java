// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIrqSet;
import io.jvfio.sim.HarmfulCallException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.function.Consumer;

/** Executes sequences on one kernel. */
final class Runner {
  /** The result of a call that would do harm to a real kernel, and that the simulator refuses. */
  static final String HARMFUL = "harmful";

  private static final long ALIGNMENT = 2 << 20;

  /** What outputs hold before the call, so that one the kernel did not write can be told. */
  private static final byte UNWRITTEN = (byte) 0xe5;

  private final Kernel kernel;
  private final Machine machine;

  Runner(Kernel kernel, Machine machine) {
    this.kernel = kernel;
    this.machine = machine;
  }

  /**
   * One answer per step. All that the sequence left open is closed.
   *
   * @param before is told each step before it is executed
   */
  List<Answer> run(Sequence sequence, Consumer<Step> before) throws ErrnoException {
    var answers = new ArrayList<Answer>();
    try (var session = open()) {
      for (var step : sequence.steps()) {
        before.accept(step);
        answers.add(session.execute(step));
      }
    }
    return answers;
  }

  /** Begins a sequence that is executed step by step. */
  Session open() throws ErrnoException {
    return new Session();
  }

  /** A sequence that is being executed. Closing it closes all that it left open. */
  final class Session implements AutoCloseable {
    private final Run run = new Run();
    private final long locked = lockedKilobytes();

    private Session() throws ErrnoException {}

    /** The answer to one more step. */
    Answer execute(Step step) throws ErrnoException {
      var outcome = outcome(run, step);
      return new Answer(outcome.result(), outcome.output(), lockedKilobytes() - locked);
    }

    @Override
    public void close() throws ErrnoException {
      run.close();
      if (lockedKilobytes() == locked) {
        run.unmapMemory();
      }
    }
  }

  /** A kernel that throws has no answer, and the rest of the suite goes on. */
  private static Outcome outcome(Run run, Step step) {
    try {
      return run.execute(step);
    } catch (HarmfulCallException e) {
      return new Outcome(HARMFUL, "");
    } catch (RuntimeException e) {
      return new Outcome("threw", e.toString().replaceAll("\\s+", " "));
    }
  }

  private long lockedKilobytes() throws ErrnoException {
    return kilobytes("VmLck:");
  }

  private long kilobytes(String name) throws ErrnoException {
    for (var line : smallFile("/proc/self/status").lines().toList()) {
      if (line.startsWith(name)) {
        return Long.parseLong(line.replaceAll("\\D", ""));
      }
    }
    throw new IllegalStateException("/proc/self/status has no " + name);
  }

  /**
   * {@link Kernel#readText} takes a mebibyte for its answer, which is slow on an emulated guest.
   */
  private String smallFile(String path) throws ErrnoException {
    int fd = kernel.open(path, Kernel.O_RDONLY);
    if (fd < 0) {
      throw new ErrnoException("open(" + path + ")", Errno.ofResult(fd));
    }
    try (var arena = Arena.ofConfined()) {
      var text = arena.allocate(8192);
      long count = kernel.pread(fd, text, 0);
      if (count < 0) {
        throw new ErrnoException("read(" + path + ")", Errno.ofResult(count));
      }
      return new String(
          text.asSlice(0, count).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    } finally {
      kernel.close(fd);
    }
  }

  private record Outcome(String result, String output) {
    static Outcome of(long result) {
      return new Outcome(text(result), "");
    }

    static Outcome opened(long result) {
      return new Outcome(result < 0 ? text(result) : "fd", "");
    }

    static Outcome mapped(long result) {
      return new Outcome(result < 0 ? text(result) : "mapped", "");
    }

    static String text(long result) {
      return result < 0 ? Errno.ofResult(result).symbol() : Long.toString(result);
    }
  }

  private record Mapping(long address, long byteSize) {
    long end() {
      return address + byteSize;
    }
  }

  /** One execution of a sequence: the descriptors, memory and values its steps produced. */
  private final class Run {
    private final Map<String, Integer> files = new LinkedHashMap<>();
    private final List<Integer> unnamed = new ArrayList<>();
    private final Map<String, Long> memory = new HashMap<>();
    private final List<Mapping> anonymous = new ArrayList<>();
    private final Map<String, Long> values = new HashMap<>();
    private final Map<String, Mapping> mappings = new LinkedHashMap<>();

    Outcome execute(Step step) {
      return switch (step) {
        case Step.Open open ->
            opened(open.file(), kernel.open(machine.resolve(open.path()), open.flags()));
        case Step.Close close -> {
          var fd = files.remove(close.file());
          yield Outcome.of(kernel.close(fd == null ? -1 : fd));
        }
        case Step.Command command ->
            Outcome.of(
                kernel.ioctl(file(command.file()), command.command(), number(command.argument())));
        case Step.Structured structured -> structured(structured);
        case Step.Named named -> {
          try (var arena = Arena.ofConfined()) {
            var name = arena.allocateFrom(machine.resolve(named.name()));
            yield opened(named.opened(), kernel.ioctl(file(named.file()), named.command(), name));
          }
        }
        case Step.Memory wanted -> {
          long byteSize = wanted.byteSize() + ALIGNMENT;
          long address =
              kernel.mmap(
                  byteSize, wanted.protection(), Kernel.MAP_PRIVATE | Kernel.MAP_ANONYMOUS, -1, 0);
          if (address >= 0) {
            memory.put(wanted.memory(), (address + ALIGNMENT - 1) & -ALIGNMENT);
            anonymous.add(new Mapping(address, byteSize));
          }
          yield Outcome.mapped(address);
        }
        case Step.Hole hole -> {
          long address = memory.getOrDefault(hole.memory(), 0L) + hole.offset();
          int result = kernel.munmap(address, hole.byteSize());
          if (result == 0) {
            forget(address, address + hole.byteSize());
          }
          yield Outcome.of(result);
        }
        case Step.Look look -> {
          var address = memory.get(look.memory());
          if (address == null) {
            yield new Outcome("unmapped", "");
          }
          try (var arena = Arena.ofConfined()) {
            var bytes = kernel.memory(address + look.offset(), look.byteSize(), arena);
            yield new Outcome(Integer.toString(look.byteSize()), hex(bytes));
          }
        }
        case Step.Store store -> {
          var address = memory.get(store.memory());
          if (address == null) {
            yield new Outcome("unmapped", "");
          }
          try (var arena = Arena.ofConfined()) {
            long byteSize = Long.BYTES * (long) store.numbers().size();
            var target = kernel.memory(address + store.offset(), byteSize, arena);
            for (int i = 0; i < store.numbers().size(); i++) {
              target.setAtIndex(ValueLayout.JAVA_LONG_UNALIGNED, i, number(store.numbers().get(i)));
            }
          }
          yield new Outcome("stored", "");
        }
        case Step.Pinned _ -> {
          try {
            yield new Outcome(kilobytes("VmPin:") + " kB", "");
          } catch (ErrnoException e) {
            yield new Outcome("threw", String.valueOf(e.getMessage()));
          }
        }
        case Step.Read read -> {
          try (var arena = Arena.ofConfined()) {
            var bytes = arena.allocate(Math.max(1, read.byteSize())).asSlice(0, read.byteSize());
            long result = kernel.pread(file(read.file()), bytes, number(read.offset()));
            yield new Outcome(
                Outcome.text(result), result > 0 ? hex(bytes.asSlice(0, result)) : "");
          }
        }
        case Step.Write write -> {
          try (var arena = Arena.ofConfined()) {
            var content = HexFormat.of().parseHex(write.bytes());
            var bytes = arena.allocateFrom(ValueLayout.JAVA_BYTE, content);
            yield Outcome.of(kernel.pwrite(file(write.file()), bytes, number(write.offset())));
          }
        }
        case Step.EventFd event ->
            opened(event.file(), kernel.eventFd(event.initial(), event.flags()));
        case Step.Epoll epoll -> opened(epoll.file(), kernel.epollCreate());
        case Step.Watch watch ->
            Outcome.of(
                kernel.epollControl(
                    file(watch.set()), watch.operation(), file(watch.file()), watch.events()));
        case Step.Ready ready -> {
          var found = new int[ready.most()];
          int count = kernel.epollWait(file(ready.set()), found, 0);
          var names = new StringJoiner(" ");
          for (int i = 0; i < count; i++) {
            names.add(nameOf(found[i]));
          }
          yield new Outcome(Outcome.text(count), names.toString());
        }
        case Step.Poll poll -> Outcome.of(kernel.awaitReadable(file(poll.file()), 0));
        case Step.Take take -> {
          try (var arena = Arena.ofConfined()) {
            var bytes = arena.allocate(Math.max(1, take.byteSize())).asSlice(0, take.byteSize());
            long result = kernel.read(file(take.file()), bytes);
            yield new Outcome(
                Outcome.text(result), result > 0 ? hex(bytes.asSlice(0, result)) : "");
          }
        }
        case Step.Put put -> {
          try (var arena = Arena.ofConfined()) {
            var content = HexFormat.of().parseHex(put.bytes());
            yield Outcome.of(
                kernel.write(file(put.file()), arena.allocateFrom(ValueLayout.JAVA_BYTE, content)));
          }
        }
        case Step.SetIrqs set -> setIrqs(set);
        case Step.MapDevice map -> {
          long address =
              kernel.mmap(
                  map.byteSize(),
                  map.protection(),
                  map.flags(),
                  file(map.file()),
                  number(map.offset()));
          if (address >= 0) {
            mappings.put(map.mapping(), new Mapping(address, map.byteSize()));
          }
          yield Outcome.mapped(address);
        }
        case Step.Load load -> {
          var mapping = mappings.get(load.mapping());
          if (mapping == null) {
            yield new Outcome("unmapped", "");
          }
          try (var registers = kernel.registers(mapping.address(), mapping.byteSize())) {
            yield new Outcome("0x" + Integer.toHexString(registers.read32(load.offset())), "");
          }
        }
        case Step.UnmapDevice unmap -> {
          var mapping = mappings.remove(unmap.mapping());
          yield mapping == null
              ? new Outcome("unmapped", "")
              : Outcome.of(kernel.munmap(mapping.address(), mapping.byteSize()));
        }
      };
    }

    private Outcome setIrqs(Step.SetIrqs step) {
      long needed = VfioIrqSet.BYTES + (long) step.data().size() * step.width();
      try (var arena = Arena.ofConfined()) {
        var set = arena.allocate(Math.max(needed, Math.min(step.argsz(), 4096)), Long.BYTES);
        VfioIrqSet.ARGSZ.set(set, (int) step.argsz());
        VfioIrqSet.FLAGS.set(set, step.flags());
        VfioIrqSet.INDEX.set(set, (int) step.index());
        VfioIrqSet.START.set(set, (int) step.start());
        VfioIrqSet.COUNT.set(set, (int) step.count());
        for (int i = 0; i < step.data().size(); i++) {
          long value = number(step.data().get(i));
          long offset = VfioIrqSet.BYTES + (long) i * step.width();
          if (step.width() == 1) {
            set.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
          } else {
            set.set(ValueLayout.JAVA_INT, offset, (int) value);
          }
        }
        return Outcome.of(kernel.ioctl(file(step.file()), Vfio.VFIO_DEVICE_SET_IRQS, set));
      }
    }

    private String nameOf(int fd) {
      for (var file : files.entrySet()) {
        if (file.getValue() == fd) {
          return file.getKey();
        }
      }
      return "unnamed";
    }

    private Outcome opened(String name, int result) {
      if (result >= 0) {
        var former = files.put(name, result);
        if (former != null) {
          unnamed.add(former);
        }
      }
      return Outcome.opened(result);
    }

    private int file(String name) {
      return files.getOrDefault(name, -1);
    }

    private long number(Operand operand) {
      return switch (operand) {
        case Operand.Literal literal -> literal.value();
        case Operand.Address address ->
            memory.getOrDefault(address.memory(), 0L) + address.offset();
        case Operand.Value value -> values.getOrDefault(value.name(), 0L) + value.offset();
        case Operand.Descriptor descriptor -> file(descriptor.file());
      };
    }

    private Outcome structured(Step.Structured step) {
      try (var arena = Arena.ofConfined()) {
        var struct = arena.allocate(step.byteSize(), Long.BYTES);
        for (var field : step.shape().fields()) {
          var given = step.fields().get(field.name());
          if (given != null) {
            set(struct, field, number(given));
          } else if (step.shape().isOutput(field) && within(struct, field)) {
            struct.asSlice(field.offset(), field.byteSize()).fill(UNWRITTEN);
          }
        }
        var before = arena.allocate(step.byteSize(), Long.BYTES).copyFrom(struct);
        int result = kernel.ioctl(file(step.file()), step.command(), struct);
        if (result >= 0) {
          step.keep()
              .forEach((field, name) -> values.put(name, get(struct, step.shape().field(field))));
        }
        return new Outcome(Outcome.text(result), outputs(step, result >= 0, before, struct));
      }
    }

    /** All outputs of a call that succeeded; of one that failed, those it wrote nevertheless. */
    private static String outputs(
        Step.Structured step, boolean succeeded, MemorySegment before, MemorySegment after) {
      var text = new StringJoiner(" ");
      for (var field : step.shape().fields()) {
        if (!within(after, field)) {
          continue;
        }
        boolean written = get(before, field) != get(after, field);
        boolean given = step.fields().containsKey(field.name());
        if (written || (succeeded && step.shape().isOutput(field))) {
          text.add(
              field.name()
                  + "="
                  + (written || given ? "0x" + Long.toHexString(get(after, field)) : "unwritten"));
        }
      }
      if (succeeded && step.shape().hasCapabilities()) {
        capabilities(step, after, text);
      }
      return text.toString();
    }

    /** The chain of capabilities, in its own order, each as the bytes up to the next. */
    private static void capabilities(
        Step.Structured step, MemorySegment struct, StringJoiner text) {
      var first = step.shape().field("cap_offset");
      if (!within(struct, first)) {
        return;
      }
      long offset = get(struct, first);
      while (offset >= step.shape().byteSize() && offset + 8 <= struct.byteSize()) {
        int id = struct.get(ValueLayout.JAVA_SHORT_UNALIGNED, offset);
        int version = struct.get(ValueLayout.JAVA_SHORT_UNALIGNED, offset + 2);
        long next = Integer.toUnsignedLong(struct.get(ValueLayout.JAVA_INT_UNALIGNED, offset + 4));
        long end = next > offset ? next : endOfChain(step, struct, offset);
        text.add(
            "cap%d.v%d[%s]"
                .formatted(id, version, hex(struct.asSlice(offset + 8, end - offset - 8))));
        if (next <= offset) {
          return; // the last, or a chain that runs in circles
        }
        offset = next;
      }
    }

    /** The last capability has no next: it ends where the kernel stopped writing. */
    private static long endOfChain(Step.Structured step, MemorySegment struct, long offset) {
      long end = Math.min(struct.byteSize(), get(struct, step.shape().field("argsz")));
      while (end > offset + 8 && struct.get(ValueLayout.JAVA_LONG_UNALIGNED, end - 8) == 0) {
        end -= 8;
      }
      return Math.max(end, offset + 8);
    }

    private static boolean within(MemorySegment struct, Shape.Field field) {
      return field.offset() + field.byteSize() <= struct.byteSize();
    }

    private static void set(MemorySegment struct, Shape.Field field, long value) {
      if (!within(struct, field)) {
        throw new IllegalArgumentException("there is no memory for " + field);
      }
      switch (field.byteSize()) {
        case 1 -> struct.set(ValueLayout.JAVA_BYTE, field.offset(), (byte) value);
        case 2 -> struct.set(ValueLayout.JAVA_SHORT, field.offset(), (short) value);
        case 4 -> struct.set(ValueLayout.JAVA_INT, field.offset(), (int) value);
        case 8 -> struct.set(ValueLayout.JAVA_LONG, field.offset(), value);
        default -> throw new IllegalArgumentException("no such field: " + field);
      }
    }

    private static long get(MemorySegment struct, Shape.Field field) {
      return switch (field.byteSize()) {
        case 1 -> Byte.toUnsignedLong(struct.get(ValueLayout.JAVA_BYTE, field.offset()));
        case 2 -> Short.toUnsignedLong(struct.get(ValueLayout.JAVA_SHORT, field.offset()));
        case 4 -> Integer.toUnsignedLong(struct.get(ValueLayout.JAVA_INT, field.offset()));
        default -> struct.get(ValueLayout.JAVA_LONG, field.offset());
      };
    }

    private static String hex(MemorySegment bytes) {
      return HexFormat.of().formatHex(bytes.toArray(ValueLayout.JAVA_BYTE));
    }

    /** What is unmapped now may be anybody's soon, and must not be unmapped again. */
    private void forget(long start, long end) {
      for (var piece : List.copyOf(anonymous)) {
        if (piece.address() < end && start < piece.end()) {
          anonymous.remove(piece);
          if (piece.address() < start) {
            anonymous.add(new Mapping(piece.address(), start - piece.address()));
          }
          if (end < piece.end()) {
            anonymous.add(new Mapping(end, piece.end() - end));
          }
        }
      }
    }

    void unmapMemory() {
      anonymous.forEach(mapping -> kernel.munmap(mapping.address(), mapping.byteSize()));
    }

    /** Devices were opened after groups, and groups after containers. */
    void close() {
      mappings.values().forEach(mapping -> kernel.munmap(mapping.address(), mapping.byteSize()));
      unnamed.reversed().forEach(kernel::close);
      new ArrayList<>(files.values()).reversed().forEach(kernel::close);
    }
  }
}
