// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Lets no two tasks at one block of which one changes it: a reader sees what was there before a
 * write, or what is there after it, and never some of both. A file system does not promise that:
 * buffered reads of ext4 take no lock.
 *
 * <p>A task that overlaps with an earlier one waits for it, also where that one waits itself; so
 * nobody waits for ever. What does not overlap is told by a table of counts, which has one for each
 * stripe of the disk modulo its size; only where that says "maybe" tasks are compared.
 */
final class RangeOrder {
  private static final int STRIPE_SHIFT = 16;
  private static final int STRIPES = 1 << 10;

  /** A task that covers more than this is looked at one by one. */
  private static final int MOST_STRIPES = 64;

  private final int[] readers = new int[STRIPES];
  private final int[] writers = new int[STRIPES];
  private int wideTasks;
  private int waiting;
  private @Nullable FileTask head;
  private @Nullable FileTask tail;

  /**
   * Adds a task.
   *
   * @return whether it may begin; if not it is told of by {@link #remove} some time later
   */
  boolean add(FileTask task) {
    task.order.blockers = mayOverlap(task) ? countOverlaps(task) : 0;
    boolean mayBegin = task.order.blockers == 0;
    if (!mayBegin) {
      waiting++;
    }
    task.order.previous = tail;
    task.order.next = null;
    if (tail == null) {
      head = task;
    } else {
      tail.order.next = task;
    }
    tail = task;
    count(task, 1);
    return mayBegin;
  }

  /**
   * Removes a task that has ended, or waits.
   *
   * @param begin is given those that may begin now; it changes nothing here
   */
  void remove(FileTask task, Consumer<FileTask> begin) {
    var order = task.order;
    var previous = order.previous;
    var next = order.next;
    if (previous == null) {
      head = next;
    } else {
      previous.order.next = next;
    }
    if (next == null) {
      tail = previous;
    } else {
      next.order.previous = previous;
    }
    order.previous = null;
    order.next = null;
    count(task, -1);
    if (order.blockers > 0) {
      order.blockers = 0;
      waiting--;
    }
    if (waiting == 0) {
      return;
    }
    for (var each = next; each != null; each = each.order.next) {
      if (each.order.blockers > 0 && overlap(task, each)) {
        each.order.blockers--;
        if (each.order.blockers == 0) {
          waiting--;
          begin.accept(each);
        }
      }
    }
  }

  private void count(FileTask task, int change) {
    int firstStripe = (int) (task.offset() >>> STRIPE_SHIFT);
    int lastStripe = (int) (task.last() >>> STRIPE_SHIFT);
    if (lastStripe - firstStripe >= MOST_STRIPES) {
      wideTasks += change;
      return;
    }
    int[] counts = task.isChange() ? writers : readers;
    for (int stripe = firstStripe; stripe <= lastStripe; stripe++) {
      counts[stripe & (STRIPES - 1)] += change;
    }
  }

  private boolean mayOverlap(FileTask task) {
    if (head == null) {
      return false;
    }
    int firstStripe = (int) (task.offset() >>> STRIPE_SHIFT);
    int lastStripe = (int) (task.last() >>> STRIPE_SHIFT);
    if (wideTasks > 0 || lastStripe - firstStripe >= MOST_STRIPES) {
      return true;
    }
    boolean isChange = task.isChange();
    for (int stripe = firstStripe; stripe <= lastStripe; stripe++) {
      int at = stripe & (STRIPES - 1);
      if (writers[at] > 0 || (isChange && readers[at] > 0)) {
        return true;
      }
    }
    return false;
  }

  /** How many tasks there are that a new one waits for. */
  private int countOverlaps(FileTask task) {
    int overlaps = 0;
    for (var each = head; each != null; each = each.order.next) {
      overlaps += overlap(task, each) ? 1 : 0;
    }
    return overlaps;
  }

  private static boolean overlap(FileTask one, FileTask other) {
    return (one.isChange() || other.isChange())
        && one.offset() <= other.last()
        && other.offset() <= one.last();
  }

  /** A task's place in the list. */
  static final class Place {
    private @Nullable FileTask previous;
    private @Nullable FileTask next;

    /** How many earlier ones it waits for. */
    private int blockers;

    boolean isWaiting() {
      return blockers > 0;
    }
  }
}
