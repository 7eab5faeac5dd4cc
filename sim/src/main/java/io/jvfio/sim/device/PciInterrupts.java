// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.device;

import static io.jvfio.linux.uapi.PciRegs.PCI_CAP_ID_EXP;
import static io.jvfio.linux.uapi.PciRegs.PCI_CAP_ID_MSI;
import static io.jvfio.linux.uapi.PciRegs.PCI_CAP_ID_MSIX;
import static io.jvfio.linux.uapi.PciRegs.PCI_INTERRUPT_PIN;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_FLAGS;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_FLAGS_ENABLE;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSIX_FLAGS_QSIZE;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSI_FLAGS;
import static io.jvfio.linux.uapi.PciRegs.PCI_MSI_FLAGS_QMASK;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_ACTION_MASK;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_ACTION_TRIGGER;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_ACTION_UNMASK;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_DATA_BOOL;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_DATA_EVENTFD;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_DATA_NONE;

import io.jvfio.linux.Architecture;
import io.jvfio.linux.Errno;
import io.jvfio.model.ConfigSpace;
import io.jvfio.sim.files.EventFile;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.files.KernelWatch;
import io.jvfio.sim.setup.KernelEra;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The interrupts of a device while it is open. Of INTx, MSI and MSI-X one is in use at a time.
 * Source: {@code drivers/vfio/pci/vfio_pci_intrs.c}.
 */
final class PciInterrupts {
  static final int INTX = 0;
  static final int MSI = 1;
  static final int MSIX = 2;
  static final int ERROR = 3;
  static final int REQUEST = 4;
  static final int INDEXES = 5;

  private static final int NONE = INDEXES;
  private static final int ACTIONS =
      VFIO_IRQ_SET_ACTION_MASK | VFIO_IRQ_SET_ACTION_UNMASK | VFIO_IRQ_SET_ACTION_TRIGGER;

  private final HostProcess process;
  private final HostDevice device;
  private final ConfigSpace hardware;
  private int type = NONE;

  /** The vectors that the host has given; none is given back before all are. */
  private final BitSet given = new BitSet();

  private final Map<Integer, EventFile> triggers = new TreeMap<>();

  /** Messages that wait in the device for their vector to be unmasked. */
  private final BitSet pending = new BitSet();

  private @Nullable EventFile lineTrigger;
  private @Nullable KernelWatch lineUnmask;
  private boolean lineMasked;

  /** INTx is off in the command register as its user sees it. */
  private boolean lineOff;

  /** What errors and requests are told to, by their index. */
  private final Map<Integer, EventFile> notifiers = new TreeMap<>();

  PciInterrupts(HostDevice device, ConfigSpace hardware) {
    this.process = device.process();
    this.device = device;
    this.hardware = hardware;
  }

  /** How many interrupts an index has. */
  int count(int index) {
    int msi = PciConfig.capability(hardware, PCI_CAP_ID_MSI);
    int msix = PciConfig.capability(hardware, PCI_CAP_ID_MSIX);
    return switch (index) {
      case INTX -> hardware.read(PCI_INTERRUPT_PIN, 1) == 0 ? 0 : 1;
      case MSI ->
          msi == 0 ? 0 : 1 << ((hardware.read(msi + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_QMASK) >> 1);
      case MSIX ->
          msix == 0 ? 0 : (hardware.read(msix + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_QSIZE) + 1;
      case ERROR -> isExpress() ? 1 : 0;
      case REQUEST -> 1;
      default -> 0;
    };
  }

  boolean isExpress() {
    return PciConfig.capability(hardware, PCI_CAP_ID_EXP) != 0;
  }

  /** Whether MSI-X vectors can be added; of the interrupt controllers here a PC's can. */
  boolean addsVectorsLater() {
    return process.era() != KernelEra.LINUX_5_10
        && process.description().architecture() == Architecture.X86_64;
  }

  /** How many signals the kernel would send somewhere. */
  int inUse() {
    return triggers.size() + notifiers.size() + (type == INTX ? 1 : 0);
  }

  /**
   * {@code VFIO_DEVICE_SET_IRQS} after its arguments were found to be in range.
   *
   * @param data what follows the struct: a byte or a descriptor for each interrupt, or nothing
   */
  int set(int flags, int index, int start, int count, MemorySegment data) {
    int action = flags & ACTIONS;
    return switch (index) {
      case INTX ->
          switch (action) {
            case VFIO_IRQ_SET_ACTION_MASK, VFIO_IRQ_SET_ACTION_UNMASK ->
                maskLine(action == VFIO_IRQ_SET_ACTION_MASK, flags, start, count, data);
            case VFIO_IRQ_SET_ACTION_TRIGGER -> triggerLine(flags, start, count, data);
            default -> Errno.ENOTTY.result();
          };
      case MSI, MSIX ->
          action == VFIO_IRQ_SET_ACTION_TRIGGER
              ? triggerMessages(flags, index, start, count, data)
              : Errno.ENOTTY.result();
      default ->
          action == VFIO_IRQ_SET_ACTION_TRIGGER
              ? triggerNotifier(flags, index, count, data)
              : Errno.ENOTTY.result();
    };
  }

  /** Turns everything off: the last file is closed. */
  void close() {
    disable();
    notifiers.clear();
  }

  private void disable() {
    if (type == INTX) {
      disableLine();
    } else if (type != NONE) {
      disableMessages();
    }
  }

  // Notifiers

  /** Tells the notifier of an index, {@link #ERROR} or {@link #REQUEST}, if there is one. */
  void signal(int index) {
    var notifier = notifiers.get(index);
    if (notifier != null) {
      notifier.signal();
    }
  }

  private int triggerNotifier(int flags, int index, int count, MemorySegment data) {
    var trigger = notifiers.get(index);
    if ((flags & VFIO_IRQ_SET_DATA_NONE) != 0) {
      if (trigger == null) {
        return Errno.EINVAL.result();
      }
      if (count != 0) {
        trigger.signal();
        return 0;
      }
      notifiers.remove(index);
      return 0;
    }
    if (count == 0) {
      return Errno.EINVAL.result();
    }
    if ((flags & VFIO_IRQ_SET_DATA_BOOL) != 0) {
      if (trigger != null && isSet(data, 0)) {
        trigger.signal();
      }
      return 0;
    }
    int fd = descriptor(data, 0);
    if (fd < -1) {
      return isOld() ? 0 : Errno.EINVAL.result();
    }
    if (fd == -1) {
      notifiers.remove(index);
      return 0;
    }
    int error = EventFile.refusal(process, fd);
    if (error == 0) {
      notifiers.put(index, EventFile.of(process, fd));
    }
    return error;
  }

  // MSI and MSI-X

  /** A message from the device. */
  void message(int vector) {
    if (type != MSI && type != MSIX) {
      return;
    }
    var trigger = triggers.get(vector);
    if (trigger != null) {
      trigger.signal();
    } else if (vector < count(type)) {
      pending.set(vector); // it has no handler, so it is masked
    }
  }

  /** Function reset: what waited in the device is gone; the kernel restores everything else. */
  void deviceReset() {
    pending.clear();
  }

  private int triggerMessages(int flags, int index, int start, int count, MemorySegment data) {
    if (type == index && count == 0 && (flags & VFIO_IRQ_SET_DATA_NONE) != 0) {
      disableMessages();
      return 0;
    }
    if (type != index && type != NONE) {
      return Errno.EINVAL.result();
    }
    if ((flags & VFIO_IRQ_SET_DATA_EVENTFD) != 0) {
      if (type == index) {
        return setBlock(start, count, data);
      }
      int result = enableMessages(index, start + count);
      if (result == 0) {
        result = setBlock(start, count, data);
        if (result != 0) {
          disableMessages();
        }
      }
      return result;
    }
    if (type != index || (isOld() && start + count > given.length())) {
      return Errno.EINVAL.result();
    }
    for (int i = 0; i < count; i++) {
      var trigger = triggers.get(start + i);
      if (trigger != null && ((flags & VFIO_IRQ_SET_DATA_NONE) != 0 || isSet(data, i))) {
        trigger.signal();
      }
    }
    return 0;
  }

  /** Before vectors could be added, the kernel had an array of them, and looked at its end. */
  private boolean isOld() {
    return process.era() == KernelEra.LINUX_5_10;
  }

  private int enableMessages(int index, int count) {
    if (count == 0) {
      return Errno.ERANGE.result();
    }
    int most = process.settings().interruptVectors;
    if (count > most) {
      return most == 0 ? Errno.ENOSPC.result() : most;
    }
    type = index;
    given.set(0, count);
    setEnabled(true);
    return 0;
  }

  private void disableMessages() {
    setEnabled(false);
    triggers.clear();
    given.clear();
    pending.clear();
    type = NONE;
  }

  /** MSI-X is enabled for all to see; what is seen of MSI's enable bit is the user's own copy. */
  private void setEnabled(boolean enabled) {
    if (type == MSIX) {
      int at = PciConfig.capability(hardware, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS;
      int control = hardware.read(at, 2) & ~PCI_MSIX_FLAGS_ENABLE;
      hardware.set(at, 2, enabled ? control | PCI_MSIX_FLAGS_ENABLE : control);
    }
  }

  boolean usesMsi() {
    return type == MSI;
  }

  /** All of a call's vectors, or none of them. */
  private int setBlock(int start, int count, MemorySegment data) {
    if (isOld() && (start >= given.length() || start + count > given.length())) {
      return Errno.EINVAL.result();
    }
    for (int i = 0; i < count; i++) {
      int error = setVector(start + i, descriptor(data, i));
      if (error != 0) {
        for (int j = 0; j <= i; j++) {
          triggers.remove(start + j);
        }
        return error;
      }
    }
    return 0;
  }

  private int setVector(int vector, int fd) {
    triggers.remove(vector);
    if (fd < 0) {
      return 0;
    }
    if (!given.get(vector)) {
      if (type != MSIX || !addsVectorsLater()) {
        return Errno.EINVAL.result();
      }
      if (given.cardinality() >= process.settings().interruptVectors) {
        return Errno.ENOSPC.result();
      }
      given.set(vector);
    }
    int error = EventFile.refusal(process, fd);
    if (error != 0) {
      return error;
    }
    var trigger = EventFile.of(process, fd);
    triggers.put(vector, trigger);
    if (pending.get(vector)) {
      pending.clear(vector);
      trigger.signal();
    }
    return 0;
  }

  // INTx

  /** The device has raised or lowered its line. */
  void lineChanged() {
    if (type == INTX && !lineMasked && device.isLineAsserted()) {
      lineMasked = true;
      signalLine();
    }
  }

  /** INTx was turned off or on in the command register as its user sees it. */
  void setLineOff(boolean off) {
    if (off != lineOff) {
      lineOff = off;
      if (off) {
        lineMasked = true;
      } else {
        unmaskLine();
      }
    }
  }

  private void signalLine() {
    if (lineTrigger != null && !lineOff) {
      lineTrigger.signal();
    }
  }

  /** A line that is up still is masked again at once, and signalled. */
  private void unmaskLine() {
    if (type == INTX && lineMasked && !lineOff) {
      lineMasked = false;
      lineChanged();
    }
  }

  private int maskLine(boolean masks, int flags, int start, int count, MemorySegment data) {
    if (type != INTX || start != 0 || count != 1) {
      return Errno.EINVAL.result();
    }
    if ((flags & VFIO_IRQ_SET_DATA_EVENTFD) != 0) {
      return masks ? Errno.ENOTTY.result() : setUnmask(descriptor(data, 0));
    }
    if ((flags & VFIO_IRQ_SET_DATA_NONE) != 0 || isSet(data, 0)) {
      if (masks) {
        lineMasked = true;
      } else {
        unmaskLine();
      }
    }
    return 0;
  }

  private int setUnmask(int fd) {
    if (fd < 0) {
      endUnmask();
      return 0;
    }
    int error = EventFile.refusal(process, fd);
    if (error != 0) {
      return error;
    }
    if (lineUnmask != null && lineUnmask.isActive()) {
      return Errno.EBUSY.result();
    }
    lineUnmask = KernelWatch.begin(EventFile.of(process, fd), this::unmaskLine);
    return 0;
  }

  private void endUnmask() {
    if (lineUnmask != null) {
      lineUnmask.end();
      lineUnmask = null;
    }
  }

  private int triggerLine(int flags, int start, int count, MemorySegment data) {
    if (type == INTX && count == 0 && (flags & VFIO_IRQ_SET_DATA_NONE) != 0) {
      disableLine();
      return 0;
    }
    if ((type != INTX && type != NONE) || start != 0 || count != 1) {
      return Errno.EINVAL.result();
    }
    if ((flags & VFIO_IRQ_SET_DATA_EVENTFD) != 0) {
      int fd = descriptor(data, 0);
      int error = fd < 0 ? 0 : EventFile.refusal(process, fd);
      if (error != 0) {
        return error;
      }
      if (type == NONE) {
        if (!hasHostLine()) {
          return Errno.ENODEV.result();
        }
        type = INTX;
        lineMasked = lineOff;
      }
      lineTrigger = fd < 0 ? null : EventFile.of(process, fd);
      lineChanged();
      return 0;
    }
    if (type != INTX) {
      return Errno.EINVAL.result();
    }
    if ((flags & VFIO_IRQ_SET_DATA_NONE) != 0 || isSet(data, 0)) {
      signalLine();
    }
    return 0;
  }

  /** On a PC the firmware's number tells; elsewhere the device tree connects every line. */
  private boolean hasHostLine() {
    return process.description().architecture() != Architecture.X86_64
        || device.description().irq() != 0;
  }

  private void disableLine() {
    endUnmask();
    lineTrigger = null;
    type = NONE;
  }

  // What follows the struct

  private static boolean isSet(MemorySegment data, int index) {
    return data.get(ValueLayout.JAVA_BYTE, index) != 0;
  }

  private static int descriptor(MemorySegment data, int index) {
    return data.get(ValueLayout.JAVA_INT_UNALIGNED, (long) index * Integer.BYTES);
  }
}
