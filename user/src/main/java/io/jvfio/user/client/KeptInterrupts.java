// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.client;

import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Vfio;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * What a device was told of its interrupts, so that it can be told again. Guarded by the lock of
 * {@link ClientConnection}; descriptors stay their owners', who take them away here before they
 * close them.
 */
final class KeptInterrupts {
  private static final int ERROR = 3;
  private static final int NONE = -1;
  private static final int[] NOTHING = {};
  private static final int SIGNAL =
      Vfio.VFIO_IRQ_SET_ACTION_TRIGGER | Vfio.VFIO_IRQ_SET_DATA_EVENTFD;
  private static final int OFF = Vfio.VFIO_IRQ_SET_ACTION_TRIGGER | Vfio.VFIO_IRQ_SET_DATA_NONE;
  private static final int UNMASK_BY =
      Vfio.VFIO_IRQ_SET_ACTION_UNMASK | Vfio.VFIO_IRQ_SET_DATA_EVENTFD;
  private static final int MASK_BY = Vfio.VFIO_IRQ_SET_ACTION_MASK | Vfio.VFIO_IRQ_SET_DATA_EVENTFD;
  private static final int MASK = Vfio.VFIO_IRQ_SET_ACTION_MASK | Vfio.VFIO_IRQ_SET_DATA_NONE;

  private final List<Index> indexes;

  /** One interrupt index. */
  private static final class Index {
    final int number;

    /** The eventfd of each interrupt, or {@link #NONE}. */
    final int[] signals;

    final int[] unmaskedBy;
    final int[] maskedBy;
    final boolean[] masked;

    Index(int number, int count) {
      this.number = number;
      signals = new int[count];
      unmaskedBy = new int[count];
      maskedBy = new int[count];
      masked = new boolean[count];
      clear();
    }

    void clear() {
      Arrays.fill(signals, NONE);
      Arrays.fill(unmaskedBy, NONE);
      Arrays.fill(maskedBy, NONE);
      Arrays.fill(masked, false);
    }
  }

  KeptInterrupts(List<Description.Irqs> irqs) {
    var all = new Index[irqs.size()];
    for (int i = 0; i < all.length; i++) {
      all[i] = new Index(i, irqs.get(i).count());
    }
    indexes = List.of(all);
  }

  /** What is wrong with a call before anybody is asked; 0 if nothing is. */
  int refusal(IrqCall call) {
    return call.index() >= 0
            && call.index() < indexes.size()
            && call.start() >= 0
            && call.count() >= 0
            && call.start() <= indexes.get(call.index()).signals.length - call.count()
        ? 0
        : Errno.EINVAL.result();
  }

  /** Keeps what a call has done, or will do as soon as there is a connection. */
  void keep(IrqCall call) {
    var index = indexes.get(call.index());
    if (call.count() == 0) {
      index.clear();
      return;
    }
    for (int i = 0; i < call.count(); i++) {
      int number = call.start() + i;
      if (call.isEventFd()) {
        (call.isTrigger() ? index.signals : call.isMask() ? index.maskedBy : index.unmaskedBy)
                [number] =
            call.data()[i];
      } else if (!call.isTrigger() && (!call.isBool() || call.data()[i] != 0)) {
        index.masked[number] = call.isMask();
      }
    }
  }

  /** Which interrupts of an index are signalled to an eventfd. */
  int[] inUse(int number) {
    var signals = indexes.get(number).signals;
    return IntStream.range(0, signals.length).filter(i -> signals[i] != NONE).toArray();
  }

  /** The eventfd that tells of an error of the device, or -1. */
  int errorSignal() {
    return indexes.size() > ERROR && indexes.get(ERROR).signals.length > 0
        ? indexes.get(ERROR).signals[0]
        : NONE;
  }

  /** Tells a server, which has just been connected to, all of it. */
  int tell(Link link, Peer peer) {
    for (var index : indexes) {
      int result = tell(link, peer, index.number, SIGNAL, index.signals);
      if (result == 0) {
        result = tell(link, peer, index.number, UNMASK_BY, index.unmaskedBy);
      }
      if (result == 0) {
        result = tell(link, peer, index.number, MASK_BY, index.maskedBy);
      }
      for (int i = 0; i < index.masked.length && result == 0; i++) {
        if (index.masked[i]) {
          result = Calls.setIrqs(link, MASK, index.number, i, 1, NOTHING, 0, 0, 0);
        }
      }
      if (result != 0) {
        return result;
      }
    }
    return 0;
  }

  private static int tell(Link link, Peer peer, int index, int flags, int[] fds) {
    for (int i = 0; i < fds.length; i++) {
      if (fds[i] != NONE) {
        int end = i + 1;
        while (end < fds.length && fds[end] != NONE) {
          end++;
        }
        int result = setEventFds(link, peer, index, flags, i, fds, i, end);
        if (result != 0) {
          return result;
        }
        i = end;
      }
    }
    return 0;
  }

  /**
   * Carries a call out.
   *
   * @return 0; a negated errno, with nothing of the call in effect; or that the link was lost
   */
  static int send(Link link, Peer peer, IrqCall call) {
    if (!call.isEventFd()) {
      return Calls.setIrqs(
          link,
          call.flags(),
          call.index(),
          call.start(),
          call.count(),
          call.data(),
          0,
          0,
          call.isBool() ? call.count() : 0);
    }
    int result =
        setEventFds(
            link, peer, call.index(), call.flags(), call.start(), call.data(), 0, call.count());
    if (result != 0 && !Calls.isLost(result) && call.isTrigger()) {
      undo(link, call);
    }
    return result;
  }

  /** What a call of several messages has done before one of them was refused. */
  private static void undo(Link link, IrqCall call) {
    if (call.start() == 0) {
      Calls.setIrqs(link, OFF, call.index(), 0, 0, NOTHING, 0, 0, 0);
    } else {
      Calls.setIrqs(link, call.flags(), call.index(), call.start(), call.count(), NOTHING, 0, 0, 0);
    }
  }

  /** Descriptors of one message all stand for something, and are no more than the peer takes. */
  private static int setEventFds(
      Link link, Peer peer, int index, int flags, int start, int[] fds, int first, int end) {
    int most = peer.maxFds();
    for (int at = first; at < end; ) {
      boolean isSet = fds[at] != NONE;
      if (isSet && most == 0) {
        return Errno.EOPNOTSUPP.result();
      }
      int next = at + 1;
      while (next < end && (fds[next] != NONE) == isSet && !(isSet && next - at == most)) {
        next++;
      }
      int count = next - at;
      int result =
          Calls.setIrqs(
              link, flags, index, start + at - first, count, fds, at, isSet ? count : 0, 0);
      if (result != 0) {
        return result;
      }
      at = next;
    }
    return 0;
  }
}
