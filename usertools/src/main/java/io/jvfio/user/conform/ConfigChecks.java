// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.conform;

import io.jvfio.linux.uapi.PciRegs;
import io.jvfio.user.peer.WirePeer;
import io.jvfio.user.wire.Command;
import io.jvfio.user.wire.MessageText;
import io.jvfio.user.wire.Payload;
import io.jvfio.user.wire.WriteMulti;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Checks of configuration space, which all PCI devices have and which may be written to a degree.
 */
final class ConfigChecks {
  private static final String READ = "VFIO_USER_REGION_READ";
  private static final String WRITE = "VFIO_USER_REGION_WRITE";
  private static final String MODEL = "VFIO Device Model";

  private static final int MSIX_FLAGS =
      PciRegs.PCI_MSIX_FLAGS_ENABLE | PciRegs.PCI_MSIX_FLAGS_MASKALL;

  private ConfigChecks() {}

  static List<ConformanceCheck> all() {
    return List.of(
        new ConformanceCheck(
            "config-header",
            "has a header of a device",
            MODEL,
            "a vendor, a device and header type 0",
            ConfigChecks::header),
        new ConformanceCheck(
            "config-widths",
            "reads the same by bytes, words and longer pieces",
            READ,
            "the same bytes",
            ConfigChecks::widths),
        new ConformanceCheck(
            "config-capabilities",
            "has a capability list that has an end",
            MODEL,
            "entries within configuration space, each once",
            ConfigChecks::capabilityList),
        new ConformanceCheck(
            "config-extended",
            "has an extended capability list that has an end",
            MODEL,
            "entries within extended configuration space, each once",
            ConfigChecks::extendedList),
        new ConformanceCheck(
            "config-irq-counts",
            "has as many interrupts as its capabilities tell",
            "VFIO_USER_DEVICE_GET_IRQ_INFO",
            "the same number of MSI and MSI-X vectors in both places",
            ConfigChecks::irqCounts),
        new ConformanceCheck(
            "config-write",
            "keeps what is written to it",
            WRITE,
            "INTERRUPT_LINE as it was written",
            ConfigChecks::write),
        new ConformanceCheck(
            "config-bus-master",
            "lets bus mastering be turned on and off",
            WRITE,
            "the bit as it was written",
            ConfigChecks::busMaster),
        new ConformanceCheck(
            "config-bar-sizes",
            "tells the size of its BARs as PCI devices do",
            WRITE,
            "a power of two that the region fits in, after all ones were written",
            ConfigChecks::barSizes),
        new ConformanceCheck(
            "config-capability-headers",
            "does not let the headers of its capabilities be written",
            MODEL,
            "an error, or the bytes as they were",
            ConfigChecks::capabilityHeaders),
        new ConformanceCheck(
            "config-msi-control",
            "does not let the number of its MSI vectors be written",
            MODEL,
            "an error, or the number as it was",
            ConfigChecks::msiControl),
        new ConformanceCheck(
            "config-msix-control",
            "lets MSI-X be turned on and masked, and its table's size not be written",
            MODEL,
            "the two bits as they were written, and all others as they were",
            ConfigChecks::msixControl),
        new ConformanceCheck(
            "config-order",
            "has carried out a write without a reply when the next command is answered",
            "Command Concurrency",
            "what the last of several writes without reply has written",
            ConfigChecks::order),
        new ConformanceCheck(
            "config-write-multi",
            "carries out several writes of one message",
            "VFIO_USER_REGION_WRITE_MULTI",
            "their number, and the last one read back",
            ConfigChecks::writeMulti));
  }

  private static ByteBuffer little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static byte[] read(ConformanceRun run, WirePeer peer, int offset, int count) {
    return run.read(peer, run.config().index(), offset, count);
  }

  private static void write(ConformanceRun run, WirePeer peer, int offset, byte... bytes) {
    run.write(peer, run.config().index(), offset, bytes);
  }

  private static byte[] bytes(int value, int width) {
    var bytes = new byte[width];
    for (int i = 0; i < width; i++) {
      bytes[i] = (byte) (value >>> (8 * i));
    }
    return bytes;
  }

  private static String header(ConformanceRun run) {
    var config = little(read(run, run.open(), 0, PciRegs.PCI_CFG_SPACE_SIZE));
    int vendor = Short.toUnsignedInt(config.getShort(PciRegs.PCI_VENDOR_ID));
    int device = Short.toUnsignedInt(config.getShort(PciRegs.PCI_DEVICE_ID));
    int type = config.get(PciRegs.PCI_HEADER_TYPE) & PciRegs.PCI_HEADER_TYPE_MASK;
    var came = "%04x:%04x, header type %d".formatted(vendor, device, type);
    if (vendor == 0 || vendor == 0xffff || type != 0) {
      throw Verdict.failed(came);
    }
    return came;
  }

  private static String widths(ConformanceRun run) {
    var peer = run.open();
    var all = read(run, peer, 0, PciRegs.PCI_STD_HEADER_SIZEOF);
    for (int width : new int[] {1, 2, 4, 8}) {
      for (int offset = 0; offset < PciRegs.PCI_STD_HEADER_SIZEOF; offset += width) {
        var part = read(run, peer, offset, width);
        for (int i = 0; i < width; i++) {
          if (part[i] != all[offset + i]) {
            throw Verdict.failed(
                "0x%02x and 0x%02x at 0x%02x, read by %d"
                    .formatted(all[offset + i], part[i], offset + i, width));
          }
        }
      }
    }
    return "the same";
  }

  private static String capabilityList(ConformanceRun run) {
    var config = little(read(run, run.open(), 0, PciRegs.PCI_CFG_SPACE_SIZE));
    boolean isTold = (config.getShort(PciRegs.PCI_STATUS) & PciRegs.PCI_STATUS_CAP_LIST) != 0;
    int at = Byte.toUnsignedInt(config.get(PciRegs.PCI_CAPABILITY_LIST));
    if (!isTold) {
      if (at != 0) {
        throw Verdict.differs("a list at 0x%02x that STATUS does not tell of".formatted(at));
      }
      return "none";
    }
    var seen = new ArrayList<Integer>();
    var ids = new ArrayList<String>();
    while (at != 0) {
      if (at < PciRegs.PCI_STD_HEADER_SIZEOF || at % 4 != 0 || seen.contains(at)) {
        throw Verdict.failed("after %s an entry at 0x%02x".formatted(ids, at));
      }
      seen.add(at);
      ids.add("0x%02x".formatted(config.get(at)));
      at = Byte.toUnsignedInt(config.get(at + PciRegs.PCI_CAP_LIST_NEXT));
    }
    return String.join(", ", ids);
  }

  private static String extendedList(ConformanceRun run) {
    if (run.config().size() < PciRegs.PCI_CFG_SPACE_EXP_SIZE) {
      throw Verdict.skipped("configuration space has " + MessageText.bytes(run.config().size()));
    }
    var config = little(read(run, run.open(), 0, PciRegs.PCI_CFG_SPACE_EXP_SIZE));
    var seen = new ArrayList<Integer>();
    var ids = new ArrayList<String>();
    int at = PciRegs.PCI_CFG_SPACE_SIZE;
    while (at != 0) {
      if (at < PciRegs.PCI_CFG_SPACE_SIZE
          || at > PciRegs.PCI_CFG_SPACE_EXP_SIZE - 4
          || at % 4 != 0
          || seen.contains(at)) {
        throw Verdict.failed("after %s an entry at 0x%03x".formatted(ids, at));
      }
      int head = config.getInt(at);
      if (head == 0) {
        break;
      }
      seen.add(at);
      ids.add("0x%04x".formatted(head & 0xffff));
      at = head >>> 20;
    }
    return ids.isEmpty() ? "none" : String.join(", ", ids);
  }

  /** Where a capability is; 0 where there is none. */
  private static int find(ByteBuffer config, int id) {
    if ((config.getShort(PciRegs.PCI_STATUS) & PciRegs.PCI_STATUS_CAP_LIST) == 0) {
      return 0;
    }
    int at = Byte.toUnsignedInt(config.get(PciRegs.PCI_CAPABILITY_LIST));
    for (int i = 0; i < 48 && at >= PciRegs.PCI_STD_HEADER_SIZEOF; i++) {
      if (config.get(at) == id) {
        return at;
      }
      at = Byte.toUnsignedInt(config.get(at + PciRegs.PCI_CAP_LIST_NEXT));
    }
    return 0;
  }

  private static String irqCounts(ConformanceRun run) {
    var config = little(read(run, run.open(), 0, PciRegs.PCI_CFG_SPACE_SIZE));
    int msi = find(config, PciRegs.PCI_CAP_ID_MSI);
    int msix = find(config, PciRegs.PCI_CAP_ID_MSIX);
    int msiCount =
        msi == 0
            ? 0
            : 1
                << ((config.getShort(msi + PciRegs.PCI_MSI_FLAGS) & PciRegs.PCI_MSI_FLAGS_QMASK)
                    >> 1);
    int msixCount =
        msix == 0 || msix > 0xfc
            ? 0
            : (config.getShort(msix + PciRegs.PCI_MSIX_FLAGS) & PciRegs.PCI_MSIX_FLAGS_QSIZE) + 1;
    int pin = config.get(PciRegs.PCI_INTERRUPT_PIN);
    var told = run.device().irqs();
    int toldIntx = count(told, 0);
    int toldMsi = count(told, 1);
    int toldMsix = count(told, 2);
    var came =
        "capabilities: INTx %d, MSI %d, MSI-X %d; indexes: %d, %d, %d"
            .formatted(pin == 0 ? 0 : 1, msiCount, msixCount, toldIntx, toldMsi, toldMsix);
    if (msiCount != toldMsi || msixCount != toldMsix || (pin == 0) != (toldIntx == 0)) {
      throw Verdict.differs(came);
    }
    return came;
  }

  private static int count(List<DeviceFacts.Irq> irqs, int index) {
    return irqs.stream()
        .filter(irq -> irq.index() == index)
        .mapToInt(DeviceFacts.Irq::count)
        .findFirst()
        .orElse(0);
  }

  private static String write(ConformanceRun run) {
    var peer = run.open();
    var before = read(run, peer, PciRegs.PCI_INTERRUPT_LINE, 1);
    try {
      for (int value : new int[] {0xa5, 0x5a}) {
        write(run, peer, PciRegs.PCI_INTERRUPT_LINE, (byte) value);
        var after = read(run, peer, PciRegs.PCI_INTERRUPT_LINE, 1);
        if (after[0] != (byte) value) {
          throw Verdict.differs("0x%02x where 0x%02x was written".formatted(after[0], value));
        }
      }
    } finally {
      write(run, peer, PciRegs.PCI_INTERRUPT_LINE, before);
    }
    return "so";
  }

  private static String busMaster(ConformanceRun run) {
    var peer = run.open();
    var before = read(run, peer, PciRegs.PCI_COMMAND, 2);
    int value = little(before).getShort(0);
    try {
      for (int next :
          new int[] {value | PciRegs.PCI_COMMAND_MASTER, value & ~PciRegs.PCI_COMMAND_MASTER}) {
        write(run, peer, PciRegs.PCI_COMMAND, bytes(next, 2));
        int after = little(read(run, peer, PciRegs.PCI_COMMAND, 2)).getShort(0);
        if ((after & PciRegs.PCI_COMMAND_MASTER) != (next & PciRegs.PCI_COMMAND_MASTER)) {
          throw Verdict.differs(
              "COMMAND 0x%04x where 0x%04x was written".formatted(after & 0xffff, next & 0xffff));
        }
      }
    } finally {
      write(run, peer, PciRegs.PCI_COMMAND, before);
    }
    return "so";
  }

  private static String barSizes(ConformanceRun run) {
    var peer = run.open();
    var command = read(run, peer, PciRegs.PCI_COMMAND, 2);
    var before = read(run, peer, PciRegs.PCI_BASE_ADDRESS_0, 4 * PciRegs.PCI_STD_NUM_BARS);
    var sizes = new ArrayList<String>();
    try {
      // A BAR that decodes could answer anywhere while it is measured.
      int off =
          little(command).getShort(0) & ~(PciRegs.PCI_COMMAND_IO | PciRegs.PCI_COMMAND_MEMORY);
      write(run, peer, PciRegs.PCI_COMMAND, bytes(off, 2));
      for (int bar = 0; bar < PciRegs.PCI_STD_NUM_BARS; bar++) {
        int at = PciRegs.PCI_BASE_ADDRESS_0 + 4 * bar;
        write(run, peer, at, bytes(-1, 4));
        int mask = little(read(run, peer, at, 4)).getInt(0);
        boolean isIo = (mask & PciRegs.PCI_BASE_ADDRESS_SPACE_IO) != 0;
        boolean isWide =
            !isIo
                && (mask & PciRegs.PCI_BASE_ADDRESS_MEM_TYPE_MASK)
                    == PciRegs.PCI_BASE_ADDRESS_MEM_TYPE_64
                && bar + 1 < PciRegs.PCI_STD_NUM_BARS;
        long bits =
            Integer.toUnsignedLong(
                mask
                    & (isIo
                        ? PciRegs.PCI_BASE_ADDRESS_IO_MASK
                        : PciRegs.PCI_BASE_ADDRESS_MEM_MASK));
        if (isWide) {
          write(run, peer, at + 4, bytes(-1, 4));
          bits |= Integer.toUnsignedLong(little(read(run, peer, at + 4, 4)).getInt(0)) << 32;
        } else if (bits != 0) {
          bits |= 0xffff_ffffL << 32;
        }
        measured(run, bar, bits == 0 ? 0 : -bits, isIo, sizes);
        bar += isWide ? 1 : 0;
      }
    } finally {
      for (int bar = 0; bar < PciRegs.PCI_STD_NUM_BARS; bar++) {
        write(
            run,
            peer,
            PciRegs.PCI_BASE_ADDRESS_0 + 4 * bar,
            bytes(little(before).getInt(4 * bar), 4));
      }
      write(run, peer, PciRegs.PCI_COMMAND, command);
    }
    return sizes.isEmpty() ? "no BAR" : String.join(", ", sizes);
  }

  private static void measured(
      ConformanceRun run, int bar, long size, boolean isIo, List<String> sizes) {
    long told = run.device().region(bar).map(DeviceFacts.Region::size).orElse(0L);
    long expected =
        told == 0 ? 0 : Long.highestOneBit(told) == told ? told : Long.highestOneBit(told) << 1;
    var came = "BAR%d %s%s".formatted(bar, MessageText.bytes(size), isIo ? " of I/O ports" : "");
    if (size != expected && !(expected != 0 && size == Math.max(expected, 16))) {
      throw Verdict.differs(came + ", and the region has " + MessageText.bytes(told));
    }
    if (size != 0) {
      sizes.add(came);
    }
  }

  private static String capabilityHeaders(ConformanceRun run) {
    var peer = run.open();
    var config = little(read(run, peer, 0, PciRegs.PCI_CFG_SPACE_SIZE));
    var came = new ArrayList<String>();
    if ((config.getShort(PciRegs.PCI_STATUS) & PciRegs.PCI_STATUS_CAP_LIST) != 0) {
      int at = Byte.toUnsignedInt(config.get(PciRegs.PCI_CAPABILITY_LIST));
      for (int i = 0; i < 48 && at >= PciRegs.PCI_STD_HEADER_SIZEOF; i++) {
        keepsHeader(run, peer, at, 2);
        came.add("0x%02x".formatted(at));
        at = Byte.toUnsignedInt(config.get(at + PciRegs.PCI_CAP_LIST_NEXT));
      }
    }
    if (run.config().size() >= PciRegs.PCI_CFG_SPACE_EXP_SIZE
        && little(read(run, peer, PciRegs.PCI_CFG_SPACE_SIZE, 4)).getInt(0) != 0) {
      keepsHeader(run, peer, PciRegs.PCI_CFG_SPACE_SIZE, 4);
      came.add("0x100");
    }
    if (came.isEmpty()) {
      throw Verdict.skipped("there are no capabilities");
    }
    return String.join(", ", came);
  }

  private static void keepsHeader(ConformanceRun run, WirePeer peer, int at, int width) {
    var before = read(run, peer, at, width);
    var inverted = before.clone();
    for (int i = 0; i < width; i++) {
      inverted[i] = (byte) ~before[i];
    }
    tryWrite(run, peer, at, inverted);
    var after = read(run, peer, at, width);
    if (!Arrays.equals(before, after)) {
      tryWrite(run, peer, at, before);
      throw Verdict.failed(
          "[%s] at 0x%02x became [%s]"
              .formatted(
                  MessageText.dump(before, 0, width), at, MessageText.dump(after, 0, width)));
    }
  }

  /** Writes what need not be taken. */
  private static void tryWrite(ConformanceRun run, WirePeer peer, int offset, byte... bytes) {
    peer.call(
        Command.REGION_WRITE,
        Payload.access(offset, run.config().index(), bytes.length).bytes(bytes));
  }

  private static int control(ConformanceRun run, WirePeer peer, int at) {
    return Short.toUnsignedInt(little(read(run, peer, at, 2)).getShort(0));
  }

  private static String msiControl(ConformanceRun run) {
    var peer = run.open();
    int msi = find(little(read(run, peer, 0, PciRegs.PCI_CFG_SPACE_SIZE)), PciRegs.PCI_CAP_ID_MSI);
    if (msi == 0) {
      throw Verdict.skipped("there is no MSI");
    }
    int at = msi + PciRegs.PCI_MSI_FLAGS;
    int before = control(run, peer, at);
    tryWrite(run, peer, at, bytes(before ^ PciRegs.PCI_MSI_FLAGS_QMASK, 2));
    int after = control(run, peer, at);
    tryWrite(run, peer, at, bytes(before, 2));
    var came = "0x%04x, and 0x%04x before".formatted(after, before);
    if (((after ^ before) & PciRegs.PCI_MSI_FLAGS_QMASK) != 0) {
      throw Verdict.failed(came);
    }
    return came;
  }

  private static String msixControl(ConformanceRun run) {
    var peer = run.open();
    int msix =
        find(little(read(run, peer, 0, PciRegs.PCI_CFG_SPACE_SIZE)), PciRegs.PCI_CAP_ID_MSIX);
    if (msix == 0 || msix > 0xf4) {
      throw Verdict.skipped("there is no MSI-X");
    }
    int at = msix + PciRegs.PCI_MSIX_FLAGS;
    int before = control(run, peer, at);
    var table = read(run, peer, at + 2, 1);
    try {
      write(run, peer, at, bytes(-1, 2));
      controlIs(before | MSIX_FLAGS, control(run, peer, at));
      write(run, peer, at, bytes(0, 2));
      controlIs(before & ~MSIX_FLAGS, control(run, peer, at));
      // As some versions of QEMU do: the upper half, and a byte of the next register.
      write(run, peer, at + 1, (byte) (MSIX_FLAGS >> 8), (byte) ~table[0]);
      controlIs(before | MSIX_FLAGS, control(run, peer, at));
      tryWrite(run, peer, at + 2, (byte) ~table[0]);
      controlIs(before | MSIX_FLAGS, control(run, peer, at));
      if (!Arrays.equals(table, read(run, peer, at + 2, 1))) {
        throw Verdict.failed("another place of the table");
      }
    } finally {
      write(run, peer, at, bytes(before, 2));
    }
    return "so, with 0x%04x before".formatted(before);
  }

  private static void controlIs(int expected, int control) {
    var came = "0x%04x where 0x%04x was due".formatted(control, expected);
    if (((control ^ expected) & ~MSIX_FLAGS) != 0) {
      throw Verdict.failed(came);
    }
    if (control != expected) {
      throw Verdict.differs(came);
    }
  }

  private static String order(ConformanceRun run) {
    var peer = run.open();
    var before = read(run, peer, PciRegs.PCI_INTERRUPT_LINE, 1);
    write(run, peer, PciRegs.PCI_INTERRUPT_LINE, (byte) 0x77);
    if (read(run, peer, PciRegs.PCI_INTERRUPT_LINE, 1)[0] != 0x77) {
      throw Verdict.skipped("INTERRUPT_LINE does not keep what is written");
    }
    try {
      for (int i = 1; i <= 32; i++) {
        peer.send(
            ConformanceRun.quiet(
                i,
                Command.REGION_WRITE,
                Payload.access(PciRegs.PCI_INTERRUPT_LINE, run.config().index(), 1)
                    .bytes((byte) i)));
      }
      int after = read(run, peer, PciRegs.PCI_INTERRUPT_LINE, 1)[0];
      if (after != 32) {
        throw Verdict.failed("0x%02x after writes of 0x01 to 0x20".formatted(after));
      }
    } finally {
      write(run, peer, PciRegs.PCI_INTERRUPT_LINE, before);
    }
    return "the last of 32";
  }

  private static String writeMulti(ConformanceRun run) {
    var peer = run.open();
    if (!run.hello().capabilities().writeMultiple()) {
      throw Verdict.skipped("the server does not tell that it can");
    }
    var before = read(run, peer, PciRegs.PCI_INTERRUPT_LINE, 1);
    int region = run.config().index();
    try {
      var payload = Payload.of(WriteMulti.STRUCT).with(WriteMulti.COUNT, 2);
      for (int value : new int[] {0x21, 0x43}) {
        payload
            .then(WriteMulti.Entry.STRUCT)
            .with(WriteMulti.Entry.OFFSET, PciRegs.PCI_INTERRUPT_LINE)
            .with(WriteMulti.Entry.REGION, region)
            .with(WriteMulti.Entry.COUNT, 1)
            .with(WriteMulti.Entry.DATA, value);
      }
      var reply = run.succeeds(peer, 8, Command.REGION_WRITE_MULTI, payload);
      long count = reply.get(WriteMulti.COUNT);
      int after = read(run, peer, PciRegs.PCI_INTERRUPT_LINE, 1)[0];
      if (count != 2 || after != 0x43) {
        throw Verdict.failed("%d writes, and 0x%02x".formatted(count, after));
      }
    } finally {
      write(run, peer, PciRegs.PCI_INTERRUPT_LINE, before);
    }
    return "2 writes";
  }
}
