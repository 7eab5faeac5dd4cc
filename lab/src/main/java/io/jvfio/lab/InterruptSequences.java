// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Operand.descriptor;
import static io.jvfio.lab.Operand.number;
import static io.jvfio.lab.Steps.sequence;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_ACTION_MASK;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_ACTION_TRIGGER;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_ACTION_UNMASK;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_DATA_BOOL;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_DATA_EVENTFD;
import static io.jvfio.linux.uapi.Vfio.VFIO_IRQ_SET_DATA_NONE;

import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Vfio;
import java.util.Collections;
import java.util.List;

/**
 * Eventfds, sets of them, and what makes a device signal them: interrupts of all indexes, and
 * eventfds that write registers. The controller is never enabled, so all signals are by software;
 * of its registers only those are written that mean nothing to a controller that is off.
 */
final class InterruptSequences {
  private static final int INTX = 0;
  private static final int MSI = 1;
  private static final int MSIX = 2;
  private static final int ERROR = 3;
  private static final int REQUEST = 4;
  private static final int INDEXES = 5;

  private static final int TRIGGER_NONE = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_NONE;
  private static final int TRIGGER_BOOL = VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_BOOL;
  private static final int TRIGGER_EVENTFD =
      VFIO_IRQ_SET_ACTION_TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD;
  private static final int MASK_NONE = VFIO_IRQ_SET_ACTION_MASK | VFIO_IRQ_SET_DATA_NONE;
  private static final int MASK_BOOL = VFIO_IRQ_SET_ACTION_MASK | VFIO_IRQ_SET_DATA_BOOL;
  private static final int MASK_EVENTFD = VFIO_IRQ_SET_ACTION_MASK | VFIO_IRQ_SET_DATA_EVENTFD;
  private static final int UNMASK_NONE = VFIO_IRQ_SET_ACTION_UNMASK | VFIO_IRQ_SET_DATA_NONE;
  private static final int UNMASK_BOOL = VFIO_IRQ_SET_ACTION_UNMASK | VFIO_IRQ_SET_DATA_BOOL;
  private static final int UNMASK_EVENTFD = VFIO_IRQ_SET_ACTION_UNMASK | VFIO_IRQ_SET_DATA_EVENTFD;

  /** How many MSI-X vectors the controller has. */
  private static final int VECTORS = 65;

  private static final int SIZE = 20;
  private static final int CONFIG = Vfio.VFIO_PCI_CONFIG_REGION_INDEX;
  private static final int MSIX_CONTROL = 0x42;
  private static final int IOEVENTFD_SIZE = 32;
  private static final int MSIX_TABLE = 0x2000;

  /** The controller's configuration, of which a controller that is off only keeps the bits. */
  private static final int CONFIGURATION = 0x14;

  private static final Operand NONE = number(-1);
  private static final String ONE = "0100000000000000";

  private InterruptSequences() {}

  private static Operand[] times(int count, Operand one) {
    return Collections.nCopies(count, one).toArray(Operand[]::new);
  }

  static List<Sequence> all(int type) {
    return List.of(
        sequence(
            "eventfd",
            s ->
                s.eventFd("e")
                    .take("e")
                    .poll("e")
                    .put("e", ONE)
                    .put("e", "0500000000000000")
                    .poll("e")
                    .take("e", 7)
                    .take("e", 16)
                    .take("e")
                    .put("e", "01000000000000")
                    .put("e", ONE + "00")
                    .put("e", "ffffffffffffffff")
                    .put("e", "feffffffffffffff")
                    .put("e", ONE)
                    .put("e", "0000000000000000")
                    .take("e")
                    .eventFd("waits", 3, 0)
                    .take("waits")
                    .put("waits", ONE)
                    .take("waits")
                    .eventFd("semaphore", 2, Kernel.EFD_NONBLOCK | 1)
                    .take("semaphore")
                    .take("semaphore")
                    .take("semaphore")
                    .eventFd("wrong", 0, 2)
                    .take("none")
                    .put("none", ONE)
                    .poll("e")
                    .close("e")
                    .take("e")),
        sequence(
            "epoll",
            s ->
                s.epoll("p")
                    .eventFd("e0")
                    .eventFd("e1")
                    .group("g0", 0)
                    .container("c")
                    .readyFiles("p", 4)
                    .watch("p", "e0")
                    .watch("p", "e0")
                    .unwatch("p", "e1")
                    .watch("p", "e1")
                    .readyFiles("p", 4)
                    .put("e1", ONE)
                    .readyFiles("p", 4)
                    .put("e0", ONE)
                    .readyFiles("p", 1)
                    .readyFiles("p", 1)
                    .readyFiles("p", 1)
                    .readyFiles("p", 4)
                    .take("e1")
                    .readyFiles("p", 4)
                    .poll("p")
                    .unwatch("p", "e0")
                    .readyFiles("p", 4)
                    .poll("p")
                    .watch("p", "e0")
                    .readyFiles("p", 4)
                    .close("e0")
                    .readyFiles("p", 4)
                    .eventFd("e2", 1, Kernel.EFD_NONBLOCK)
                    .watch("p", Kernel.EPOLL_CTL_ADD, "e2", 0)
                    .readyFiles("p", 4)),
        sequence(
            "epoll-refused",
            s ->
                s.epoll("p")
                    .epoll("q")
                    .eventFd("e")
                    .group("g0", 0)
                    .container("c")
                    .watch("p", "g0")
                    .watch("p", "c")
                    .watch("p", "p")
                    .watch("p", "none")
                    .watch("none", "e")
                    .watch("e", "e")
                    .watch("e", "p")
                    .watch("e", "g0")
                    .watch("p", 7, "e", 1)
                    .unwatch("p", "g0")
                    .readyFiles("e", 1)
                    .readyFiles("none", 1)
                    .readyFiles("g0", 1)
                    .take("p")
                    .take("c")
                    .put("p", ONE)
                    .poll("g0")
                    .poll("c")
                    .watch("p", "q")
                    .watch("q", "p")
                    .watch("q", "e")
                    .put("e", ONE)
                    .readyFiles("p", 4)
                    .readyFiles("q", 4)
                    .close("q")
                    .readyFiles("p", 4)),
        sequence(
            "interrupt-checks",
            s -> {
              s.readyDevice(type).eventFd("e").badAddress("d0", Vfio.VFIO_DEVICE_SET_IRQS);
              for (int argsz : new int[] {0, 19, SIZE, 23}) {
                s.setIrqs("d0", argsz, TRIGGER_EVENTFD, MSIX, 0, 1, List.of());
              }
              s.setIrqs("d0", SIZE, TRIGGER_BOOL, MSIX, 0, 1, List.of())
                  .setIrqs("d0", TRIGGER_NONE, INDEXES, 0, 0)
                  .setIrqs("d0", TRIGGER_NONE, 0xffff_ffffL, 0, 0)
                  .setIrqs("d0", TRIGGER_NONE, MSIX, VECTORS, 0)
                  .setIrqs("d0", TRIGGER_NONE, MSIX, VECTORS - 1, 2)
                  .setIrqs("d0", TRIGGER_NONE, MSIX, 0, VECTORS + 1)
                  .setIrqs("d0", TRIGGER_NONE, MSIX, 1, 0xffff_fffeL)
                  .setIrqs("d0", TRIGGER_NONE, MSIX, 0xffff_ffffL, 1)
                  .setIrqs("d0", TRIGGER_NONE, MSI, 0, 0)
                  .setIrqs("d0", TRIGGER_NONE | 64, MSIX, 0, 0)
                  .setIrqs("d0", VFIO_IRQ_SET_ACTION_TRIGGER, MSIX, 0, 0)
                  .setIrqs("d0", TRIGGER_NONE | VFIO_IRQ_SET_DATA_BOOL, MSIX, 0, 0)
                  .setIrqs("d0", VFIO_IRQ_SET_DATA_NONE, MSIX, 0, 0)
                  .setIrqs("d0", TRIGGER_NONE | VFIO_IRQ_SET_ACTION_MASK, MSIX, 0, 0)
                  .setIrqs("d0", TRIGGER_NONE, REQUEST, 1, 0)
                  .setIrqs("d0", TRIGGER_NONE, ERROR, 0, 2)
                  .setIrqs("none", TRIGGER_NONE, MSIX, 0, 0)
                  .setIrqs("g0", TRIGGER_NONE, MSIX, 0, 0);
              for (int index = 0; index < INDEXES; index++) {
                for (int flags :
                    new int[] {
                      MASK_NONE, MASK_BOOL, UNMASK_NONE, UNMASK_BOOL, TRIGGER_NONE, TRIGGER_BOOL
                    }) {
                  s.setIrqs("d0", flags, index, 0, 1, number(1));
                }
                s.setIrqs("d0", MASK_EVENTFD, index, 0, 1, descriptor("e"))
                    .setIrqs("d0", UNMASK_EVENTFD, index, 0, 1, descriptor("e"))
                    .setIrqs("d0", TRIGGER_EVENTFD, index, 0, 0)
                    .setIrqs("d0", TRIGGER_BOOL, index, 0, 0)
                    .turnOff("d0", index);
              }
            }),
        sequence(
            "msix-enable",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .eventFd("e0")
                    .eventFd("e1")
                    .read("d0", "config", MSIX_CONTROL, 2)
                    .signalTo("d0", MSIX, 0, descriptor("e0"), descriptor("e1"), NONE)
                    .read("d0", "config", MSIX_CONTROL, 2)
                    .trigger("d0", MSIX, 0, 3)
                    .take("e0")
                    .take("e1")
                    .trigger("d0", MSIX, 1, 1)
                    .take("e0")
                    .take("e1")
                    .setIrqs("d0", TRIGGER_BOOL, MSIX, 0, 3, number(1), number(0), number(1))
                    .take("e0")
                    .take("e1")
                    .signalTo("d0", MSIX, 2, descriptor("e0"))
                    .signalTo("d0", MSIX, 1, NONE)
                    .trigger("d0", MSIX, 0, 3)
                    .take("e0")
                    .take("e1")
                    .write("d0", "config", MSIX_CONTROL, "0000")
                    .read("d0", "config", MSIX_CONTROL, 2)
                    .turnOff("d0", MSIX)
                    .read("d0", "config", MSIX_CONTROL, 2)
                    .turnOff("d0", MSIX)
                    .trigger("d0", MSIX, 0, 1)
                    .take("e0")),
        sequence(
            "msix-all",
            s ->
                s.readyDevice(type)
                    .eventFd("e")
                    .signalTo("d0", MSIX, 0, times(VECTORS, descriptor("e")))
                    .trigger("d0", MSIX, 0, VECTORS)
                    .take("e")
                    .signalTo("d0", MSIX, 0, times(VECTORS, NONE))
                    .trigger("d0", MSIX, 0, VECTORS)
                    .take("e")
                    .signalTo("d0", MSIX, 64, descriptor("e"))
                    .trigger("d0", MSIX, 0, VECTORS)
                    .take("e")
                    .turnOff("d0", MSIX)),
        sequence(
            "msix-later",
            s ->
                s.readyDevice(type)
                    .eventFd("e")
                    .signalTo("d0", MSIX, 1, descriptor("e"))
                    .trigger("d0", MSIX, 0, 2)
                    .take("e")
                    .trigger("d0", MSIX, 0, 3)
                    .trigger("d0", MSIX, 2, 1)
                    .setIrqs("d0", TRIGGER_BOOL, MSIX, 1, 2, number(1), number(1))
                    .take("e")
                    .signalTo("d0", MSIX, 2, NONE)
                    .signalTo("d0", MSIX, 1, NONE, NONE)
                    .signalTo("d0", MSIX, 0, descriptor("e"))
                    .signalTo("d0", MSIX, 2, descriptor("e"))
                    .signalTo("d0", MSIX, 1, descriptor("e"), descriptor("e"))
                    .signalTo("d0", MSIX, 0, times(8, descriptor("e")))
                    .trigger("d0", MSIX, 0, 2)
                    .take("e")
                    .trigger("d0", MSIX, 0, 8)
                    .take("e")
                    .setIrqs("d0", TRIGGER_EVENTFD, MSIX, 0, 0)
                    .setIrqs("d0", TRIGGER_EVENTFD, MSIX, 20, 0)
                    .turnOff("d0", MSIX)),
        sequence(
            "msix-empty",
            s ->
                s.readyDevice(type)
                    .eventFd("e")
                    .setIrqs("d0", TRIGGER_EVENTFD, MSIX, 0, 0)
                    .turnOff("d0", MSIX)
                    .setIrqs("d0", TRIGGER_EVENTFD, MSIX, 3, 0)
                    .signalTo("d0", MSIX, 2, descriptor("e"))
                    .trigger("d0", MSIX, 0, 3)
                    .take("e")
                    .turnOff("d0", MSIX)
                    .signalTo("d0", MSIX, 0, NONE)
                    .signalTo("d0", INTX, 0, descriptor("e"))
                    .trigger("d0", MSIX, 0, 1)
                    .turnOff("d0", MSIX)),
        sequence(
            "msix-wrong-descriptors",
            s ->
                s.readyDevice(type)
                    .eventFd("e")
                    .epoll("p")
                    .eventFd("closed")
                    .close("closed")
                    .signalTo("d0", MSIX, 0, descriptor("e"), number(999))
                    .trigger("d0", MSIX, 0, 1)
                    .signalTo("d0", MSIX, 0, descriptor("e"), descriptor("p"))
                    .signalTo("d0", MSIX, 0, descriptor("c"))
                    .signalTo("d0", MSIX, 0, descriptor("d0"))
                    .signalTo("d0", MSIX, 0, descriptor("e"), number(-2))
                    .trigger("d0", MSIX, 0, 2)
                    .take("e")
                    .signalTo("d0", MSIX, 0, descriptor("e"), descriptor("p"))
                    .trigger("d0", MSIX, 0, 2)
                    .take("e")
                    .signalTo("d0", MSIX, 0, descriptor("e"), descriptor("e"))
                    .signalTo("d0", MSIX, 1, number(999))
                    .trigger("d0", MSIX, 0, 2)
                    .take("e")),
        sequence(
            "msix-eventfd-closed",
            s ->
                s.readyDevice(type)
                    .eventFd("e")
                    .epoll("p")
                    .watch("p", "e")
                    .signalTo("d0", MSIX, 0, descriptor("e"), descriptor("e"))
                    .trigger("d0", MSIX, 0, 2)
                    .readyFiles("p", 2)
                    .close("e")
                    .readyFiles("p", 2)
                    .trigger("d0", MSIX, 0, 2)
                    .turnOff("d0", MSIX)),
        sequence(
            "msix-reset-and-close",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .eventFd("e")
                    .signalTo("d0", MSIX, 0, descriptor("e"))
                    .signalTo("d0", REQUEST, 0, descriptor("e"))
                    .reset("d0")
                    .read("d0", "config", MSIX_CONTROL, 2)
                    .trigger("d0", MSIX, 0, 1)
                    .trigger("d0", REQUEST, 0, 1)
                    .take("e")
                    .device("twin", "g0", 0)
                    .close("d0")
                    .trigger("twin", MSIX, 0, 1)
                    .take("e")
                    .turnOff("twin", REQUEST)
                    .signalTo("twin", ERROR, 0, descriptor("e"))
                    .close("twin")
                    .device("d0", "g0", 0)
                    .read("d0", "config", MSIX_CONTROL, 2)
                    .trigger("d0", MSIX, 0, 1)
                    .trigger("d0", REQUEST, 0, 1)
                    .take("e")),
        sequence(
            "intx",
            s ->
                s.readyDevice(type)
                    .eventFd("e0")
                    .eventFd("e1")
                    .signalTo("d0", INTX, 0, descriptor("e0"))
                    .trigger("d0", INTX, 0, 1)
                    .take("e0")
                    .setIrqs("d0", TRIGGER_BOOL, INTX, 0, 1, number(0))
                    .take("e0")
                    .setIrqs("d0", TRIGGER_BOOL, INTX, 0, 1, number(1))
                    .take("e0")
                    .setIrqs("d0", MASK_NONE, INTX, 0, 1)
                    .trigger("d0", INTX, 0, 1)
                    .take("e0")
                    .setIrqs("d0", MASK_BOOL, INTX, 0, 1, number(1))
                    .setIrqs("d0", UNMASK_BOOL, INTX, 0, 1, number(0))
                    .setIrqs("d0", UNMASK_NONE, INTX, 0, 1)
                    .setIrqs("d0", UNMASK_BOOL, INTX, 0, 1, number(1))
                    .take("e0")
                    .setIrqs("d0", MASK_NONE, INTX, 0, 0)
                    .setIrqs("d0", UNMASK_NONE, INTX, 0, 0)
                    .setIrqs("d0", MASK_EVENTFD, INTX, 0, 1, descriptor("e1"))
                    .signalTo("d0", INTX, 0, descriptor("e1"))
                    .trigger("d0", INTX, 0, 1)
                    .take("e0")
                    .take("e1")
                    .signalTo("d0", INTX, 0, number(999))
                    .trigger("d0", INTX, 0, 1)
                    .take("e1")
                    .signalTo("d0", INTX, 0, NONE)
                    .trigger("d0", INTX, 0, 1)
                    .take("e1")
                    .signalTo("d0", INTX, 0, descriptor("e0"))
                    .trigger("d0", INTX, 0, 1)
                    .take("e0")
                    .setIrqs("d0", TRIGGER_EVENTFD, INTX, 0, 0)
                    .turnOff("d0", INTX)
                    .turnOff("d0", INTX)
                    .trigger("d0", INTX, 0, 1)
                    .signalTo("d0", INTX, 0, number(999))
                    .signalTo("d0", INTX, 0, descriptor("g0"))
                    .signalTo("d0", INTX, 0, NONE)
                    .trigger("d0", INTX, 0, 1)
                    .turnOff("d0", INTX)),
        sequence(
            "intx-disabled-in-config",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .eventFd("e")
                    .signalTo("d0", INTX, 0, descriptor("e"))
                    .write("d0", "config", 0x04, "0204")
                    .trigger("d0", INTX, 0, 1)
                    .take("e")
                    .setIrqs("d0", UNMASK_NONE, INTX, 0, 1)
                    .trigger("d0", INTX, 0, 1)
                    .take("e")
                    .write("d0", "config", 0x04, "0200")
                    .trigger("d0", INTX, 0, 1)
                    .take("e")
                    .turnOff("d0", INTX)
                    .write("d0", "config", 0x04, "0204")
                    .signalTo("d0", INTX, 0, descriptor("e"))
                    .trigger("d0", INTX, 0, 1)
                    .take("e")
                    .read("d0", "config", 0x04, 2)
                    .write("d0", "config", 0x04, "0200")
                    .trigger("d0", INTX, 0, 1)
                    .take("e")
                    .read("d0", "config", 0x04, 2)),
        sequence(
            "intx-unmask-eventfd",
            s ->
                s.readyDevice(type)
                    .eventFd("e")
                    .eventFd("u")
                    .eventFd("v", 4, Kernel.EFD_NONBLOCK)
                    .setIrqs("d0", UNMASK_EVENTFD, INTX, 0, 1, descriptor("u"))
                    .signalTo("d0", INTX, 0, descriptor("e"))
                    .setIrqs("d0", UNMASK_EVENTFD, INTX, 0, 1, descriptor("u"))
                    .setIrqs("d0", UNMASK_EVENTFD, INTX, 0, 1, descriptor("v"))
                    .setIrqs("d0", UNMASK_EVENTFD, INTX, 0, 1, number(999))
                    .setIrqs("d0", UNMASK_EVENTFD, INTX, 0, 1, descriptor("c"))
                    .put("u", ONE)
                    .take("u")
                    .setIrqs("d0", UNMASK_EVENTFD, INTX, 0, 1, NONE)
                    .put("u", ONE)
                    .take("u")
                    .setIrqs("d0", UNMASK_EVENTFD, INTX, 0, 1, descriptor("v"))
                    .take("v")
                    .put("v", ONE)
                    .take("v")
                    .setIrqs("d0", UNMASK_EVENTFD, INTX, 0, 1, NONE)
                    .setIrqs("d0", UNMASK_EVENTFD, INTX, 0, 1, NONE)
                    .setIrqs("d0", UNMASK_EVENTFD, INTX, 0, 0)
                    .setIrqs("d0", UNMASK_EVENTFD, INTX, 0, 1, descriptor("u"))
                    .turnOff("d0", INTX)
                    .put("u", ONE)
                    .take("u")
                    .take("e")),
        sequence(
            "one-kind-at-a-time",
            s ->
                s.readyDevice(type)
                    .eventFd("e")
                    .signalTo("d0", INTX, 0, descriptor("e"))
                    .signalTo("d0", MSIX, 0, descriptor("e"))
                    .trigger("d0", MSIX, 0, 1)
                    .turnOff("d0", MSIX)
                    .turnOff("d0", INTX)
                    .signalTo("d0", MSIX, 0, descriptor("e"))
                    .signalTo("d0", INTX, 0, descriptor("e"))
                    .signalTo("d0", INTX, 0, number(999))
                    .setIrqs("d0", MASK_NONE, INTX, 0, 1)
                    .setIrqs("d0", UNMASK_NONE, INTX, 0, 1)
                    .trigger("d0", INTX, 0, 1)
                    .turnOff("d0", INTX)
                    .signalTo("d0", MSI, 0, descriptor("e"))
                    .turnOff("d0", MSIX)
                    .signalTo("d0", INTX, 0, descriptor("e"))
                    .reset("d0")
                    .trigger("d0", INTX, 0, 1)
                    .take("e")),
        sequence(
            "notifiers",
            s -> {
              s.readyDevice(type).eventFd("e").eventFd("f");
              for (int index : new int[] {ERROR, REQUEST}) {
                s.signalTo("d0", index, 0, descriptor("e"))
                    .trigger("d0", index, 0, 1)
                    .take("e")
                    .setIrqs("d0", TRIGGER_BOOL, index, 0, 1, number(0))
                    .setIrqs("d0", TRIGGER_BOOL, index, 0, 1, number(9))
                    .take("e")
                    .setIrqs("d0", TRIGGER_BOOL, index, 0, 0)
                    .setIrqs("d0", TRIGGER_EVENTFD, index, 0, 0)
                    .signalTo("d0", index, 0, descriptor("f"))
                    .trigger("d0", index, 0, 1)
                    .take("e")
                    .take("f")
                    .signalTo("d0", index, 0, number(999))
                    .signalTo("d0", index, 0, descriptor("c"))
                    .signalTo("d0", index, 0, number(-2))
                    .trigger("d0", index, 0, 1)
                    .take("f")
                    .signalTo("d0", index, 0, NONE)
                    .signalTo("d0", index, 0, NONE)
                    .trigger("d0", index, 0, 1)
                    .setIrqs("d0", TRIGGER_BOOL, index, 0, 1, number(1))
                    .turnOff("d0", index)
                    .signalTo("d0", index, 0, descriptor("e"))
                    .turnOff("d0", index)
                    .turnOff("d0", index);
              }
            }),
        sequence(
            "ioeventfd",
            s ->
                s.readyDevice(type)
                    .region("d0", CONFIG, "config")
                    .region("d0", 0, "bar")
                    .write("d0", "config", 0x04, "0200")
                    .eventFd("e")
                    .eventFd("f", 1, Kernel.EFD_NONBLOCK)
                    .ioEventFd("d0", 4, at(CONFIGURATION), 0x460000, descriptor("e"), 32)
                    .read("d0", "bar", CONFIGURATION, 4)
                    .put("e", ONE)
                    .take("e")
                    .read("d0", "bar", CONFIGURATION, 4)
                    .ioEventFd("d0", 4, at(CONFIGURATION), 0x460000, descriptor("e"), 32)
                    .ioEventFd("d0", 4, at(CONFIGURATION), 0x460000, descriptor("f"), 32)
                    .ioEventFd("d0", 4, at(CONFIGURATION), 0x450000, descriptor("f"), 32)
                    .read("d0", "bar", CONFIGURATION, 4)
                    .take("f")
                    .put("f", ONE)
                    .put("e", ONE)
                    .read("d0", "bar", CONFIGURATION, 4)
                    .write("d0", "config", 0x04, "0000")
                    .put("f", ONE)
                    .take("f")
                    .write("d0", "config", 0x04, "0200")
                    .read("d0", "bar", CONFIGURATION, 4)
                    .ioEventFd("d0", 4, at(CONFIGURATION), 0x450000, NONE, 32)
                    .ioEventFd("d0", 4, at(CONFIGURATION), 0x450000, NONE, 32)
                    .put("f", ONE)
                    .take("f")
                    .read("d0", "bar", CONFIGURATION, 4)
                    .close("e")
                    .ioEventFd("d0", 4, at(CONFIGURATION), 0x460000, descriptor("f"), 32)
                    .ioEventFd("d0", 4, at(CONFIGURATION), 0x460000, NONE, 32)
                    .ioEventFd("d0", 4, at(CONFIGURATION), 0x460000, descriptor("f"), 32)),
        sequence(
            "ioeventfd-refused",
            s -> {
              s.readyDevice(type)
                  .region("d0", CONFIG, "config")
                  .region("d0", 0, "bar")
                  .region("d0", 2, "bar2")
                  .region("d0", 6, "rom")
                  .eventFd("e")
                  .badAddress("d0", Vfio.VFIO_DEVICE_IOEVENTFD);
              for (int argsz : new int[] {0, 27, 28, 64}) {
                s.ioEventFd("d0", 4, at(CONFIGURATION), 1, descriptor("e"), argsz);
              }
              for (int flags : new int[] {0, 1, 2, 3, 8, 12, 16, 20}) {
                s.ioEventFd("d0", flags, at(CONFIGURATION), 2, descriptor("e"), IOEVENTFD_SIZE);
              }
              s.ioEventFd("d0", 4, at(0x3ffe), 0, descriptor("e"), IOEVENTFD_SIZE)
                  .ioEventFd("d0", 4, at(0x4000), 0, descriptor("e"), IOEVENTFD_SIZE)
                  .ioEventFd("d0", 4, at(MSIX_TABLE), 0, descriptor("e"), IOEVENTFD_SIZE)
                  .ioEventFd("d0", 4, at(MSIX_TABLE - 2), 0, descriptor("e"), IOEVENTFD_SIZE)
                  .ioEventFd("d0", 4, at(MSIX_TABLE + 0x40c), 0, descriptor("e"), IOEVENTFD_SIZE)
                  .ioEventFd("d0", 4, in("bar2"), 0, descriptor("e"), IOEVENTFD_SIZE)
                  .ioEventFd("d0", 4, in("rom"), 0, descriptor("e"), IOEVENTFD_SIZE)
                  .ioEventFd("d0", 4, in("config"), 0, descriptor("e"), IOEVENTFD_SIZE)
                  .ioEventFd("d0", 4, at(CONFIGURATION), 3, number(-2), IOEVENTFD_SIZE)
                  .ioEventFd("d0", 4, at(CONFIGURATION), 3, number(999), IOEVENTFD_SIZE)
                  .ioEventFd("d0", 4, at(CONFIGURATION), 3, descriptor("c"), IOEVENTFD_SIZE)
                  .ioEventFd("none", 4, at(CONFIGURATION), 3, descriptor("e"), IOEVENTFD_SIZE)
                  .ioEventFd("d0", 4, at(CONFIGURATION), 3, NONE, IOEVENTFD_SIZE);
            }));
  }

  private static Operand at(long offset) {
    return Operand.value("bar", offset);
  }

  private static Operand in(String region) {
    return Operand.value(region, 0);
  }
}
