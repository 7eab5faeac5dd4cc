package io.jvfio;

import java.util.ArrayList;
import java.util.List;

/**
 * An open group whose IOMMU works: its devices can be opened, and they share one DMA space.
 *
 * <p>Safe for use by several threads. Closing it closes its devices first, then the DMA space.
 */
public final class VfioGroup implements AutoCloseable {
  private final OpenContainer container;
  private final Negotiation negotiation;
  private final ContainerSpace space;
  private final List<LinuxDevice> devices = new ArrayList<>();
  private boolean closed;

  private VfioGroup(OpenContainer container, Negotiation negotiation, ContainerSpace space) {
    this.container = container;
    this.negotiation = negotiation;
    this.space = space;
  }

  static VfioGroup open(HostFacts facts, IommuGroup group, IommuPolicy policy) {
    try (var undo = new Cleanup()) {
      var container = OpenContainer.open(facts.kernel(), new Explanations(facts), group);
      undo.add(container::close);
      var result = new Negotiator(facts, container).negotiate(policy);
      var space = result.space();
      if (space == null) {
        throw Negotiator.nothingWorks(group, result.negotiation());
      }
      undo.release();
      return new VfioGroup(container, result.negotiation(), space);
    }
  }

  /** The group as sysfs described it when it was opened. */
  public IommuGroup info() {
    return container.group();
  }

  /** How its IOMMU type was found. */
  public Negotiation negotiation() {
    return negotiation;
  }

  /** The memory that its devices can reach. */
  public DmaSpace dmaSpace() {
    return space;
  }

  /**
   * Opens a device of the group. It is closed with the group at the latest.
   *
   * @throws VfioException if it is not in the group, is not bound to a VFIO driver, or the kernel
   *     refuses
   */
  public VfioDevice device(PciAddress address) {
    return open(address, () -> {});
  }

  synchronized LinuxDevice open(PciAddress address, Runnable afterClose) {
    if (closed) {
      throw new IllegalStateException(container.group().label() + " is closed");
    }
    var device = LinuxDevice.open(container, space, address, this, afterClose);
    devices.add(device);
    return device;
  }

  /** Takes a device off the list; it closes itself. */
  synchronized boolean forget(LinuxDevice device) {
    return devices.remove(device);
  }

  @Override
  public void close() {
    List<LinuxDevice> open;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      open = List.copyOf(devices);
      devices.clear();
    }
    try (var steps = new Cleanup()) {
      steps.add(container::close);
      open.forEach(device -> steps.add(device::release));
      steps.add(space::close);
      open.forEach(device -> steps.add(device::quiesce));
    }
  }
}
