package io.jvfio.user;

import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Lets a device do what it does of its own accord, when it asks for that, on a thread beside the
 * one that waits for its client.
 */
final class DevicePoller implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger("io.jvfio");
  private static final LinuxKernel KERNEL = LinuxKernel.instance();

  private final int wakeFd;
  private final MemorySegment one = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG);
  private final MemorySegment count = Arena.ofAuto().allocate(ValueLayout.JAVA_LONG);

  /** The device has asked, and nobody has looked yet. */
  private final AtomicBoolean isAsked = new AtomicBoolean();

  private final AtomicBoolean isClosed = new AtomicBoolean();
  private volatile Thread thread = Thread.currentThread();

  DevicePoller() throws ErrnoException {
    wakeFd = KERNEL.eventFd(0, Kernel.EFD_NONBLOCK);
    if (wakeFd < 0) {
      throw new ErrnoException("eventfd", Errno.ofResult(wakeFd));
    }
    one.set(ValueLayout.JAVA_LONG, 0, 1);
  }

  /** Starts to look after a device. */
  void start(ServedDevice device, String name) {
    thread = Thread.ofPlatform().name(name + " poll").daemon().start(() -> run(device));
  }

  /** The device asks; from any thread, and at once. */
  void request() {
    if (isAsked.compareAndSet(false, true)) {
      wake();
    }
  }

  private void wake() {
    KERNEL.write(wakeFd, one);
  }

  private void run(ServedDevice device) {
    while (!isClosed.get()) {
      KERNEL.awaitReadable(wakeFd, -1);
      KERNEL.read(wakeFd, count);
      isAsked.set(false);
      boolean worked = true;
      while (worked && !isClosed.get()) {
        worked = poll(device);
      }
    }
  }

  private static boolean poll(ServedDevice device) {
    // For one round only, so that commands of the client come in between.
    device.lock.lock();
    try {
      return device.poll();
    } catch (RuntimeException e) {
      LOG.log(Level.ERROR, "a device model failed in poll()", e);
      return false;
    } finally {
      device.lock.unlock();
    }
  }

  /** Ends it. Nobody asks any more. */
  @Override
  public void close() {
    if (isClosed.compareAndSet(false, true)) {
      wake();
      VfioUserServer.join(thread);
      KERNEL.close(wakeFd);
    }
  }
}
