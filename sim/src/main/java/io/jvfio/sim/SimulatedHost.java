package io.jvfio.sim;

import io.jvfio.linux.Kernel;
import java.util.List;

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
