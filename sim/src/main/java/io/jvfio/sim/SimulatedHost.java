package io.jvfio.sim;

import io.jvfio.linux.Kernel;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * A running simulated host, with one process on it: the caller.
 *
 * <p>All methods may be called from any thread; the host does one thing at a time.
 *
 * <p>Its system calls take memory that its {@code mmap} made, and as a real kernel's the JVM's own
 * native memory too, such as that of an {@code Arena}: devices do DMA there. Whether the memory is
 * there is looked up at the call, in {@code /proc/self/maps}, so on other systems than Linux it is
 * refused with EFAULT; and it must not be freed before it is unmapped from the IOMMU, for nothing
 * keeps it. Memory files and huge pages are made of real shared memory, and refused with ENOMEM
 * where there is none.
 */
public final class SimulatedHost implements AutoCloseable {
  private final Host host;
  private final Kernel kernel;
  private boolean closed;

  SimulatedHost(Host host) {
    this.host = host;
    this.kernel = new SimulatedKernel(host);
  }

  /** Its name, such as {@code x86-6.12}. */
  public String name() {
    return host.description().name();
  }

  /** What it imitates and what it shows, in one sentence. */
  public String description() {
    return host.description().description();
  }

  /** Its kernel; the same object at each call. */
  public Kernel kernel() {
    return kernel;
  }

  /** What the IOMMU stopped since the start, oldest first. */
  public List<IommuFault> faults() {
    synchronized (host) {
      return host.faults();
    }
  }

  /** What the process holds now. */
  public Resources resources() {
    synchronized (host) {
      return host.resources();
    }
  }

  /**
   * Pulls a device out of the running host, as by hand.
   *
   * <p>At once: its registers read as all ones (on an arm64 host the access is a SIGBUS, which in a
   * JVM is an {@link InternalError}), what is written to them is lost, it does no DMA and sends no
   * interrupt, and what the kernel does not keep a copy of in configuration space reads as ones.
   * Then the kernel takes it from its driver as {@link #unbind} does, and off the list of devices
   * at the end.
   *
   * @param address such as {@code 0000:01:00.0}
   * @return done when the kernel has let go of it: at once if nobody has it open
   * @throws IllegalArgumentException if there is no such device
   */
  public CompletableFuture<Void> remove(String address) {
    synchronized (host) {
      var device = host.device(address);
      device.gone = true;
      return host.releases().join(device);
    }
  }

  /**
   * Takes a device from its driver, as who writes its address to the driver's {@code unbind} does.
   *
   * <p>A device of vfio-pci that is open stays so until the process has closed it and unmapped its
   * registers; the kernel signals its request notifier at once and then every ten seconds. Nobody
   * can open it meanwhile.
   *
   * @param address such as {@code 0000:01:00.0}
   * @return done when the writer of {@code unbind} would go on: at once if nobody has it open
   * @throws IllegalArgumentException if there is no such device
   * @throws IllegalStateException if it has no driver, or is being taken from it
   */
  public CompletableFuture<Void> unbind(String address) {
    synchronized (host) {
      var device = host.device(address);
      if (device.driver == null || device.releasing) {
        throw new IllegalStateException(
            "device " + address + (device.releasing ? " is being unbound" : " has no driver"));
      }
      return host.releases().begin(device);
    }
  }

  /**
   * Has the host's error recovery find an error of a device that it cannot go on after, which its
   * user is told by the error notifier.
   *
   * @param address such as {@code 0000:01:00.0}
   * @throws IllegalArgumentException if there is no such device
   */
  public void reportError(String address) {
    synchronized (host) {
      host.device(address).reportError();
    }
  }

  /**
   * Ends the process and turns the machine off: descriptors are closed, memory is unmapped. Memory
   * that a segment of an open arena still shows is not given back, ever, so that no access to it
   * can crash. Idempotent.
   */
  @Override
  public void close() {
    synchronized (host) {
      if (!closed) {
        closed = true;
        host.close();
      }
    }
  }
}
