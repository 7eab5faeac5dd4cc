// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.files;

import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A set of files to wait for, level-triggered. Source: {@code fs/eventpoll.c}. */
public final class EpollFile extends PollableFile {
  private static final int MOST_NESTED = 4;

  private final List<Item> items = new ArrayList<>();

  /** What was ready last time anybody looked, in the order in which it became so. */
  private final Deque<Item> ready = new ArrayDeque<>();

  private EpollFile(HostProcess process) {
    super(process, "anon_inode:[eventpoll]");
  }

  /** A file in the set. */
  private final class Item implements Watcher {
    final PollableFile file;
    final int fd;
    final int events;

    Item(PollableFile file, int fd, int events) {
      this.file = file;
      this.fd = fd;
      this.events = events;
      file.watch(this);
    }

    boolean isReady() {
      return (events & Kernel.EPOLLIN) != 0 && file.isReadable();
    }

    @Override
    public void ready() {
      if (!ready.contains(this)) {
        ready.add(this);
      }
      wake();
    }

    @Override
    public void closed() {
      remove(this);
    }
  }

  /** Makes one and its descriptor. */
  public static int create(HostProcess process) {
    int fd = process.files().lowestFree();
    return fd < 0 ? fd : process.files().install(fd, new EpollFile(process));
  }

  @Override
  public boolean isReadable() {
    for (var item : ready) {
      if (item.isReady()) {
        return true;
      }
    }
    return false;
  }

  /** Adds a file, or removes it. */
  public int control(int operation, PollableFile file, int fd, int events) {
    if (file.equals(this)) {
      return Errno.EINVAL.result();
    }
    if (operation == Kernel.EPOLL_CTL_ADD
        && file instanceof EpollFile set
        && (set.reaches(this) || set.depth() >= MOST_NESTED)) {
      return Errno.ELOOP.result();
    }
    var known = find(file, fd);
    switch (operation) {
      case Kernel.EPOLL_CTL_ADD -> {
        if (known != null) {
          return Errno.EEXIST.result();
        }
        var item = new Item(file, fd, events);
        items.add(item);
        if (item.isReady()) {
          item.ready();
        }
      }
      case Kernel.EPOLL_CTL_DEL -> {
        if (known == null) {
          return Errno.ENOENT.result();
        }
        remove(known);
      }
      default -> {
        return Errno.EINVAL.result();
      }
    }
    return 0;
  }

  private @Nullable Item find(PollableFile file, int fd) {
    for (var item : items) {
      if (item.file.equals(file) && item.fd == fd) {
        return item;
      }
    }
    return null;
  }

  private void remove(Item item) {
    item.file.unwatch(item);
    items.remove(item);
    ready.remove(item);
  }

  private boolean reaches(EpollFile other) {
    for (var item : items) {
      if (item.file.equals(other) || (item.file instanceof EpollFile set && set.reaches(other))) {
        return true;
      }
    }
    return false;
  }

  private int depth() {
    int deepest = 0;
    for (var item : items) {
      if (item.file instanceof EpollFile set) {
        deepest = Math.max(deepest, set.depth());
      }
    }
    return deepest + 1;
  }

  /** Waits; see {@link Kernel#epollWait}. */
  public int await(int[] found, int timeoutMillis) {
    if (found.length == 0) {
      return Errno.EINVAL.result();
    }
    retain();
    try {
      if (!process().await(this::isReadable, timeoutMillis)) {
        return process().isClosed() ? Errno.EBADF.result() : 0;
      }
      int count = 0;
      // What is told stays in the list, behind what was not.
      for (int left = ready.size(); left > 0 && count < found.length; left--) {
        var item = ready.remove();
        if (item.isReady()) {
          found[count] = item.fd;
          count++;
          ready.add(item);
        }
      }
      return count;
    } finally {
      drop();
    }
  }

  @Override
  protected void release() {
    super.release();
    for (var item : List.copyOf(items)) {
      remove(item);
    }
  }
}
