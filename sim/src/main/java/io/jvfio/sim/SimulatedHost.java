// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim;

import static java.util.Objects.requireNonNullElse;

import io.jvfio.linux.Kernel;
import io.jvfio.sim.device.HostDevices;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.iommu.Container;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.HostSettings;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
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
  private final HostProcess process;
  private final HostDevices devices;
  private final SimulatedKernel kernel;
  private final List<IommuFault> faults = new ArrayList<>();
  private boolean closed;

  SimulatedHost(HostDescription description, HostSettings settings) {
    this.process = new HostProcess(description, settings);
    this.devices = new HostDevices(process, new Witness());
    this.kernel = new SimulatedKernel(devices);
  }

  /** Sees what happens to devices. */
  private final class Witness implements HostDevices.Observer {
    @Override
    public void blocked(String device, long iova, boolean write, String reason) {
      faults.add(new IommuFault(device, iova, write, reason));
    }

    @Override
    public void changed() {
      kernel.rebuildFiles();
    }
  }

  /** Its name, such as {@code x86-6.12}. */
  public String name() {
    return process.description().name();
  }

  /** Its description in one sentence: what it imitates and what it shows. */
  public String description() {
    return process.description().description();
  }

  /** Its kernel; the same object at each call. */
  public Kernel kernel() {
    return kernel;
  }

  /** The accesses that the IOMMU stopped since the start, oldest first. */
  public List<IommuFault> faults() {
    synchronized (process) {
      return List.copyOf(faults);
    }
  }

  /** The resources that the process holds now. */
  public Resources resources() {
    synchronized (process) {
      int attached = 0;
      var containers = new HashSet<Container>();
      for (var group : devices.groups()) {
        attached += group.isAttached() ? 1 : 0;
        if (group.container() != null) {
          containers.add(group.container());
        }
      }
      int open = 0;
      int interrupts = 0;
      var drivers = new HashMap<String, String>();
      for (var device : devices.devices()) {
        var pci = device.open();
        if (pci != null) {
          open++;
          interrupts += pci.signals();
        }
        drivers.put(device.address(), requireNonNullElse(device.driver(), ""));
      }
      return new Resources(
          process.files().openCount(),
          process.memory().count(true),
          process.memory().count(false),
          containers.stream().mapToLong(Container::mappedBytes).sum()
              + devices.iommu().mappedByIommufds(),
          process.locked().bytes(),
          process.hugePages().takenBytes(),
          open,
          interrupts,
          attached,
          drivers);
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
    synchronized (process) {
      return devices.pull(address);
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
    synchronized (process) {
      return devices.unbind(address);
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
    synchronized (process) {
      devices.device(address).reportError();
    }
  }

  /**
   * Ends the process and turns the machine off: descriptors are closed, memory is unmapped. Memory
   * that a segment of an open arena still shows is not given back, ever, so that no access to it
   * can crash. Idempotent.
   */
  @Override
  public void close() {
    synchronized (process) {
      if (!closed) {
        closed = true;
        process.close();
        devices.close();
      }
    }
  }

  @Override
  public String toString() {
    return "simulated host " + name();
  }
}
