// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.server;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.model.InterruptPort;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The interrupts of a served device: the client's eventfds, what is masked, and what waits for that
 * to end. A device may signal from any thread; the lock is held for the write to an eventfd, so
 * that none is closed under it. Source: {@code VFIO_USER_DEVICE_SET_IRQS}, {@code
 * drivers/vfio/pci/vfio_pci_intrs.c}.
 *
 * <p>The client has the same files. It can fill an eventfd up, and whether the next write then
 * waits for somebody to read is the client's to say at any time. An eventfd that may wait is asked
 * first; who has to wait all the same is freed from outside, by {@link #unblock}.
 */
public final class ServedInterrupts implements InterruptPort {
  static final int INTX = 0;
  static final int MSI = 1;
  static final int MSIX = 2;
  static final int ERROR = 3;
  static final int REQUEST = 4;
  static final int INDEXES = 5;

  private static final int NONE = -1;

  /** A signal takes a millionth of that. */
  private static final int STUCK_MILLIS = 50;

  private static final int DATA =
      Vfio.VFIO_IRQ_SET_DATA_NONE | Vfio.VFIO_IRQ_SET_DATA_BOOL | Vfio.VFIO_IRQ_SET_DATA_EVENTFD;
  private static final int ACTIONS =
      Vfio.VFIO_IRQ_SET_ACTION_MASK
          | Vfio.VFIO_IRQ_SET_ACTION_UNMASK
          | Vfio.VFIO_IRQ_SET_ACTION_TRIGGER;

  private final Kernel kernel;
  private final ServedConfig config;
  private final DevicePoller poller;
  private final int[][] eventFds = new int[INDEXES][];

  /** How many interrupts of each index are connected. */
  private final int[] used = new int[INDEXES];

  private final MemorySegment one = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG);
  private final MemorySegment drained = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG);

  /** Whether the client has given an eventfd at which a signal would wait, if it were full. */
  private boolean mayWait;

  /** How many signals there were, to tell one from the next. */
  private long signals;

  /**
   * The descriptor that is being signalled, and above it which signal that is; 0 if there is none.
   * Changed by who has the lock, and read without.
   */
  private volatile long signalling;

  /** The server ends. */
  private volatile boolean isSilent;

  /** The line's state at the device; all of this is guarded by this object. */
  private boolean isLineUp;

  private boolean isLineMasked;

  /** Who wants to know that the line was masked. */
  private int maskFd = NONE;

  /** What the client signals to have the line unmasked, as vfio-pci has it and QEMU uses it. */
  private int unmaskFd = NONE;

  /**
   * Interrupts of which none is connected.
   *
   * @param kernel makes the system calls
   * @param poller waits for the client's signal that unmasks the line
   */
  ServedInterrupts(Kernel kernel, ServedConfig config, int msixVectors, DevicePoller poller) {
    this.kernel = kernel;
    this.config = config;
    this.poller = poller;
    eventFds[INTX] = nothing(config.hasLine() ? 1 : 0);
    eventFds[MSI] = nothing(config.msiMessages());
    eventFds[MSIX] = nothing(msixVectors);
    eventFds[ERROR] = nothing(config.isExpress() ? 1 : 0);
    eventFds[REQUEST] = nothing(1);
    one.set(ValueLayout.JAVA_LONG, 0, 1);
  }

  private static int[] nothing(int count) {
    var fds = new int[count];
    Arrays.fill(fds, NONE);
    return fds;
  }

  /** How many interrupts an index has. */
  int count(int index) {
    return eventFds[index].length;
  }

  /** {@code VFIO_IRQ_INFO_} bits of an index. */
  static int flags(int index) {
    return index == INTX
        ? Vfio.VFIO_IRQ_INFO_EVENTFD | Vfio.VFIO_IRQ_INFO_MASKABLE | Vfio.VFIO_IRQ_INFO_AUTOMASKED
        : Vfio.VFIO_IRQ_INFO_EVENTFD;
  }

  @Override
  public synchronized void signal(int vector) {
    if (!config.isBusMaster()) {
      return;
    }
    int index = used[MSIX] > 0 ? MSIX : MSI;
    if (vector >= 0 && vector < eventFds[index].length) {
      write(eventFds[index][vector]);
    }
  }

  @Override
  public synchronized void line(boolean asserted) {
    isLineUp = asserted;
    config.lineStatus(asserted);
    signalLine();
  }

  /** The client has changed what depends on configuration space. */
  synchronized void configChanged() {
    signalLine();
  }

  /** Signals the line if it is up and nothing is in the way; it is masked from then on. */
  private void signalLine() {
    if (isLineUp
        && !isLineMasked
        && !config.isLineOff()
        && used[INTX] > 0
        && used[MSI] == 0
        && used[MSIX] == 0) {
      isLineMasked = true;
      write(eventFds[INTX][0]);
      write(maskFd);
    }
  }

  /** Nothing is signalled any more: the server ends, and waits for nobody. */
  public void silence() {
    isSilent = true;
  }

  private void write(int fd) {
    if (fd != NONE && !isSilent && (!mayWait || kernel.awaitWritable(fd, 0) != 0)) {
      signalling = ++signals << Integer.SIZE | fd;
      // EAGAIN: the counter is full, so that the client will see it. Others are the client's fault.
      kernel.write(fd, one);
      signalling = 0;
    }
  }

  /**
   * Frees a thread that is waiting in a write to an eventfd that the client has filled up, if there
   * is one; without the lock, which that thread has.
   */
  public void unblock() {
    long before = signalling;
    if (before == 0) {
      return;
    }
    try {
      Thread.sleep(STUCK_MILLIS);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
    if (signalling == before) {
      kernel.readNow((int) before, drained);
    }
  }

  /**
   * Notes whether a signal may have to wait; 0 if all descriptors of a message can be signalled, or
   * a negated errno.
   */
  private int checkEventFds(Incoming message) {
    for (int i = 0; i < message.fdCount(); i++) {
      int flags = kernel.eventFdFlags(message.fd(i));
      if (flags < 0) {
        return flags;
      }
      mayWait |= (flags & Kernel.EFD_NONBLOCK) == 0;
    }
    return 0;
  }

  /**
   * The command; descriptors that are kept are taken from the message.
   *
   * @param data where in the message the bytes of BOOL begin
   * @param dataBytes how many there are
   * @return 0, or a negated errno
   */
  synchronized int set(
      Incoming message, int flags, int index, int start, int count, long data, int dataBytes) {
    int kind = flags & DATA;
    int action = flags & ACTIONS;
    int fds = message.fdCount();
    if (index < 0
        || index >= INDEXES
        || Integer.bitCount(kind) != 1
        || Integer.bitCount(action) != 1
        || (flags & ~(DATA | ACTIONS)) != 0
        || start < 0
        || count < 0
        || start > eventFds[index].length
        || count > eventFds[index].length - start) {
      return Errno.EINVAL.result();
    }
    boolean isTrigger = action == Vfio.VFIO_IRQ_SET_ACTION_TRIGGER;
    if ((kind != Vfio.VFIO_IRQ_SET_DATA_EVENTFD && fds > 0)
        || (kind == Vfio.VFIO_IRQ_SET_DATA_EVENTFD && fds != 0 && fds != count)
        || (kind == Vfio.VFIO_IRQ_SET_DATA_BOOL && dataBytes < count)) {
      return Errno.EINVAL.result();
    }
    int checked = checkEventFds(message);
    if (checked < 0) {
      return checked;
    }
    if (count == 0) {
      if (start != 0 || !isTrigger || kind != Vfio.VFIO_IRQ_SET_DATA_NONE) {
        return Errno.EINVAL.result();
      }
      disable(index);
      return 0;
    }
    if (!isTrigger) {
      return mask(message, action, kind, index, data);
    }
    if (kind == Vfio.VFIO_IRQ_SET_DATA_EVENTFD) {
      assign(message, index, start, count, fds);
    } else {
      trigger(message, kind, index, start, count, data);
    }
    return 0;
  }

  private void assign(Incoming message, int index, int start, int count, int fds) {
    disconnect(index, start, count);
    for (int i = 0; i < fds; i++) {
      eventFds[index][start + i] = message.takeFd(i);
    }
    used[index] += fds;
    changed(index);
  }

  /** What depends on which interrupts are connected. */
  private void changed(int index) {
    if (index == MSIX) {
      config.msixEnabled(used[MSIX] > 0);
    }
    signalLine();
  }

  private void disconnect(int index, int start, int count) {
    var fds = eventFds[index];
    for (int i = start; i < start + count; i++) {
      if (fds[i] != NONE) {
        close(fds[i]);
        fds[i] = NONE;
        used[index]--;
      }
    }
  }

  /** Turns a whole index off. */
  private void disable(int index) {
    disconnect(index, 0, eventFds[index].length);
    if (index == INTX) {
      close(maskFd);
      maskFd = NONE;
      unmaskBy(NONE);
      isLineMasked = false;
    }
    changed(index);
  }

  /** Has another descriptor unmask the line; 0, or a negated errno. */
  private int unmaskBy(int fd) {
    if (unmaskFd != NONE) {
      poller.unwatch(unmaskFd);
      close(unmaskFd);
    }
    unmaskFd = NONE;
    if (fd == NONE) {
      return 0;
    }
    int result = poller.watchSignals(fd);
    if (result < 0) {
      close(fd);
      return result;
    }
    unmaskFd = fd;
    return 0;
  }

  /** The client has signalled a descriptor that is waited for. */
  synchronized void signalled(int fd) {
    if (fd == unmaskFd) { // and no other one had this number
      isLineMasked = false;
      signalLine();
    }
  }

  private void close(int fd) {
    if (fd != NONE) {
      kernel.close(fd);
    }
  }

  /**
   * By software, as the device would: what is masked waits, what is connected to nothing is lost.
   */
  private void trigger(Incoming message, int kind, int index, int start, int count, long data) {
    for (int i = 0; i < count; i++) {
      if (isWanted(message, kind, data + i)) {
        write(eventFds[index][start + i]);
      }
    }
  }

  private static boolean isWanted(Incoming message, int kind, long at) {
    return kind == Vfio.VFIO_IRQ_SET_DATA_NONE
        || message.message().get(ValueLayout.JAVA_BYTE, at) != 0;
  }

  private int mask(Incoming message, int action, int kind, int index, long data) {
    if (index != INTX) {
      return Errno.EINVAL.result();
    }
    boolean masks = action == Vfio.VFIO_IRQ_SET_ACTION_MASK;
    if (kind == Vfio.VFIO_IRQ_SET_DATA_EVENTFD) {
      int fd = message.fdCount() > 0 ? message.takeFd(0) : NONE;
      if (!masks) {
        return unmaskBy(fd);
      }
      close(maskFd);
      maskFd = fd;
    } else if (isWanted(message, kind, data) && isLineMasked != masks) {
      isLineMasked = masks;
      if (masks) {
        write(maskFd);
      }
      signalLine();
    }
    return 0;
  }

  /** Tells the client that the host would like to have the device back. */
  public synchronized void requestRelease() {
    write(eventFds[REQUEST][0]);
  }

  /** The client has gone: nothing of it is kept. */
  synchronized void disconnect() {
    for (int index = 0; index < INDEXES; index++) {
      disable(index);
    }
    mayWait = false;
  }
}
