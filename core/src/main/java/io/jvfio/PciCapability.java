// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.linux.uapi.PciRegs;
import java.util.List;

/**
 * One entry of a device's capability lists, decoded. Source: PCI Local Bus Specification 3.0,
 * section 6.7; PCI Express Base Specification 5.0, section 7.
 *
 * <p>What a device says of itself is not trusted: lists that go in circles or leave configuration
 * space end there, and an entry that does not fit into what is left is {@link Unknown}.
 */
public sealed interface PciCapability {
  /** The offset of its start in configuration space, in bytes. */
  int offset();

  /** The number of the capability; each of the two lists has numbers of its own. */
  default int id() {
    return switch (this) {
      case PowerManagement _ -> PciRegs.PCI_CAP_ID_PM;
      case VitalProductData _ -> PciRegs.PCI_CAP_ID_VPD;
      case Msi _ -> PciRegs.PCI_CAP_ID_MSI;
      case VendorSpecific _ -> PciRegs.PCI_CAP_ID_VNDR;
      case SubsystemIds _ -> PciRegs.PCI_CAP_ID_SSVID;
      case PciExpress _ -> PciRegs.PCI_CAP_ID_EXP;
      case MsiX _ -> PciRegs.PCI_CAP_ID_MSIX;
      case Af _ -> PciRegs.PCI_CAP_ID_AF;
      case AdvancedErrorReporting _ -> PciRegs.PCI_EXT_CAP_ID_ERR;
      case DeviceSerialNumber _ -> PciRegs.PCI_EXT_CAP_ID_DSN;
      case ExtendedVendorSpecific _ -> PciRegs.PCI_EXT_CAP_ID_VNDR;
      case AccessControlServices _ -> PciRegs.PCI_EXT_CAP_ID_ACS;
      case AlternativeRoutingId _ -> PciRegs.PCI_EXT_CAP_ID_ARI;
      case AddressTranslation _ -> PciRegs.PCI_EXT_CAP_ID_ATS;
      case SrIov _ -> PciRegs.PCI_EXT_CAP_ID_SRIOV;
      case ResizableBar _ -> PciRegs.PCI_EXT_CAP_ID_REBAR;
      case LatencyTolerance _ -> PciRegs.PCI_EXT_CAP_ID_LTR;
      case SecondaryPciExpress _ -> PciRegs.PCI_EXT_CAP_ID_SECPCI;
      case Pasid _ -> PciRegs.PCI_EXT_CAP_ID_PASID;
      case L1PmSubstates _ -> PciRegs.PCI_EXT_CAP_ID_L1SS;
      case Ptm _ -> PciRegs.PCI_EXT_CAP_ID_PTM;
      case Dvsec _ -> PciRegs.PCI_EXT_CAP_ID_DVSEC;
      case DataLinkFeature _ -> PciRegs.PCI_EXT_CAP_ID_DLF;
      case Unknown unknown -> unknown.id();
    };
  }

  /** Whether it is in the extended list. */
  default boolean extended() {
    return offset() >= PciRegs.PCI_CFG_SPACE_SIZE;
  }

  /** The name that the specifications give it. */
  default String name() {
    return CapabilityList.name(id(), extended());
  }

  /**
   * The capabilities of a device, standard ones first, each list in its own order.
   *
   * @throws VfioException if configuration space cannot be read
   */
  static List<PciCapability> of(PciConfigSpace config) {
    return new CapabilityList(config).read();
  }

  /** The roles of a device in a PCI Express fabric. */
  enum PortType {
    /** A device. */
    ENDPOINT,
    /** A device that needs what PCI had. */
    LEGACY_ENDPOINT,
    /** A port of the root complex. */
    ROOT_PORT,
    /** The port of a switch that leads to the root. */
    UPSTREAM_PORT,
    /** A port of a switch that leads away from the root. */
    DOWNSTREAM_PORT,
    /** A bridge to conventional PCI. */
    PCI_BRIDGE,
    /** A bridge from conventional PCI. */
    REVERSE_BRIDGE,
    /** A device within the root complex. */
    INTEGRATED_ENDPOINT,
    /** A collector of the events of devices within the root complex. */
    EVENT_COLLECTOR,
    /** A number that no specification of this library's time has. */
    UNKNOWN
  }

  /**
   * A link.
   *
   * @param megatransfers a second and lane: 2500, 5000, 8000, 16000, 32000 or 64000; 0 where none
   *     is told
   * @param lanes how many
   */
  record Link(int megatransfers, int lanes) {}

  /**
   * A BAR whose size can be chosen.
   *
   * @param bar its index
   * @param byteSize its size now, in bytes
   * @param byteSizes the sizes that it can have, in bytes, ascending
   */
  record Choice(int bar, long byteSize, List<Long> byteSizes) {

    /** Keeps a copy of the sizes. */
    public Choice {
      byteSizes = List.copyOf(byteSizes);
    }
  }

  /**
   * Power management: the states of a function between awake and asleep.
   *
   * @param offset where it starts
   * @param version of the specification, 1 to 3
   * @param powerState 0 (D0, awake) to 3 (D3hot, asleep)
   * @param d1 whether it has the state D1
   * @param d2 whether it has the state D2
   * @param keepsState whether waking from D3hot is no reset
   * @param wakeStates states from which it can wake the host: bit n for Dn, bit 4 for D3cold
   */
  record PowerManagement(
      int offset,
      int version,
      int powerState,
      boolean d1,
      boolean d2,
      boolean keepsState,
      int wakeStates)
      implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * A small memory with part and serial numbers.
   *
   * @param offset where it starts
   */
  record VitalProductData(int offset) implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * Interrupts as messages, up to 32.
   *
   * @param offset where it starts
   * @param enabled whether they are in use
   * @param vectors how many it can send, a power of two
   * @param enabledVectors how many it may send
   * @param wide whether it can send to 64-bit addresses
   * @param maskable whether vectors can be masked one by one
   */
  record Msi(
      int offset, boolean enabled, int vectors, int enabledVectors, boolean wide, boolean maskable)
      implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * A capability that only its vendor can decode.
   *
   * @param offset where it starts
   * @param length in bytes, with the header
   */
  record VendorSpecific(int offset, int length) implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * The ids of a bridge's subsystem.
   *
   * @param offset where it starts
   * @param vendor vendor id
   * @param device device id
   */
  record SubsystemIds(int offset, int vendor, int device) implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * The device as a part of a PCI Express fabric.
   *
   * @param offset where it starts
   * @param version of the capability, 1 or 2
   * @param portType what it is in the fabric
   * @param maxPayload largest payload that it can take, in bytes
   * @param payload largest payload that it sends now, in bytes
   * @param readRequest largest read that it asks for, in bytes
   * @param functionReset whether it can reset one function (FLR)
   * @param extendedTags whether it can have 256 requests under way
   * @param transactionsPending whether requests of its own wait for completion
   * @param maxLink the best link that it can have; 0 lanes without one
   * @param link the link that it has now; 0 lanes without one
   */
  record PciExpress(
      int offset,
      int version,
      PortType portType,
      int maxPayload,
      int payload,
      int readRequest,
      boolean functionReset,
      boolean extendedTags,
      boolean transactionsPending,
      Link maxLink,
      Link link)
      implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * Interrupts as messages from a table in a BAR, up to 2048.
   *
   * @param offset where it starts
   * @param enabled whether they are in use
   * @param masked whether all are masked
   * @param vectors how many it has
   * @param tableBar the BAR with the table
   * @param tableOffset where in the BAR, in bytes
   * @param tableSize of the table, in bytes
   * @param pendingBar the BAR with the pending bits
   * @param pendingOffset where in the BAR, in bytes
   * @param pendingSize of the pending bits, in bytes
   */
  record MsiX(
      int offset,
      boolean enabled,
      boolean masked,
      int vectors,
      int tableBar,
      long tableOffset,
      int tableSize,
      int pendingBar,
      long pendingOffset,
      int pendingSize)
      implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * Advanced features of a conventional PCI function.
   *
   * @param offset where it starts
   * @param functionReset whether it can reset one function
   * @param transactionsPending whether it tells of requests under way
   */
  record Af(int offset, boolean functionReset, boolean transactionsPending)
      implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * A log of errors on the link.
   *
   * @param offset where it starts
   * @param uncorrectable errors recorded that lost something
   * @param correctable errors recorded that lost nothing
   */
  record AdvancedErrorReporting(int offset, List<String> uncorrectable, List<String> correctable)
      implements PciCapability {

    /** Keeps copies of the lists. */
    public AdvancedErrorReporting {
      uncorrectable = List.copyOf(uncorrectable);
      correctable = List.copyOf(correctable);
    }

    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * A number that no other device has.
   *
   * @param offset where it starts
   * @param serial 64 bits
   */
  record DeviceSerialNumber(int offset, long serial) implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * A capability that only its vendor can decode.
   *
   * @param offset where it starts
   * @param vendorCapability the vendor's number for it
   * @param revision of it
   * @param length in bytes, with the header
   */
  record ExtendedVendorSpecific(int offset, int vendorCapability, int revision, int length)
      implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * The controls that keep functions from reaching each other past the IOMMU (ACS).
   *
   * @param offset where it starts
   * @param supported what it can do
   * @param enabled what of it is on
   */
  record AccessControlServices(int offset, List<String> supported, List<String> enabled)
      implements PciCapability {

    /** Keeps copies of the lists. */
    public AccessControlServices {
      supported = List.copyOf(supported);
      enabled = List.copyOf(enabled);
    }

    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * The numbering that lets a device have more than 8 functions (ARI).
   *
   * @param offset where it starts
   * @param nextFunction number of the next function; 0 for none
   */
  record AlternativeRoutingId(int offset, int nextFunction) implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * The ability to ask the IOMMU for translations beforehand (ATS).
   *
   * @param offset where it starts
   * @param queueDepth how many invalidations it can take
   * @param pageAligned whether it asks for whole pages only
   * @param enabled whether it is on
   */
  record AddressTranslation(int offset, int queueDepth, boolean pageAligned, boolean enabled)
      implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * The virtual functions of a device (SR-IOV).
   *
   * @param offset where it starts
   * @param enabled whether there are any now
   * @param totalFunctions how many there can be
   * @param functions how many are asked for
   * @param firstOffset routing id of the first one, from that of this function
   * @param stride between the routing ids of two
   * @param device device id of the virtual functions
   */
  record SrIov(
      int offset,
      boolean enabled,
      int totalFunctions,
      int functions,
      int firstOffset,
      int stride,
      int device)
      implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * BARs whose size can be chosen.
   *
   * @param offset where it starts
   * @param bars each of them
   */
  record ResizableBar(int offset, List<Choice> bars) implements PciCapability {

    /** Keeps copies of the lists. */
    public ResizableBar {
      bars = List.copyOf(bars);
    }

    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * The latency that a device tolerates of memory (LTR).
   *
   * @param offset where it starts
   * @param snoopNanos at most, for reads that caches take part in, in ns; 0 where none is told
   * @param noSnoopNanos at most, for other reads, in ns; 0 where none is told
   */
  record LatencyTolerance(int offset, long snoopNanos, long noSnoopNanos) implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * The registers that links of 8 GT/s and more add.
   *
   * @param offset where it starts
   * @param laneErrors lanes that had an error: bit n for lane n
   */
  record SecondaryPciExpress(int offset, int laneErrors) implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * Address spaces of processes.
   *
   * @param offset where it starts
   * @param width bits of their numbers
   * @param executable whether it can ask to execute
   * @param privileged whether it can ask as a supervisor
   * @param enabled whether it is on
   */
  record Pasid(int offset, int width, boolean executable, boolean privileged, boolean enabled)
      implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * The deeper sleep states of an idle link (L1 substates).
   *
   * @param offset where it starts
   * @param supported the states it has
   * @param enabled the states that are on
   */
  record L1PmSubstates(int offset, List<String> supported, List<String> enabled)
      implements PciCapability {

    /** Keeps copies of the lists. */
    public L1PmSubstates {
      supported = List.copyOf(supported);
      enabled = List.copyOf(enabled);
    }

    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * Precision time measurement.
   *
   * @param offset where it starts
   * @param requester whether it can ask for the time
   * @param responder whether it can tell the time
   * @param root whether it is the source of the time
   * @param granularityNanos of its clock in ns; 0 where none is told, 255 for more than 254
   * @param enabled whether it is on
   */
  record Ptm(
      int offset,
      boolean requester,
      boolean responder,
      boolean root,
      int granularityNanos,
      boolean enabled)
      implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * A capability that only one vendor can decode, on devices of any vendor (designated vendor
   * specific).
   *
   * @param offset where it starts
   * @param vendor whose it is
   * @param vendorCapability that vendor's number for it
   * @param revision of it
   * @param length in bytes, with the header
   */
  record Dvsec(int offset, int vendor, int vendorCapability, int revision, int length)
      implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * The features that both ends of a link agree about.
   *
   * @param offset where it starts
   * @param scaledFlowControl whether it can scale flow control
   * @param remoteKnown whether the other end has told what it can do
   */
  record DataLinkFeature(int offset, boolean scaledFlowControl, boolean remoteKnown)
      implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }

  /**
   * A capability that is not decoded here, or that does not fit where it is.
   *
   * @param offset where it starts
   * @param id which capability
   */
  record Unknown(int offset, int id) implements PciCapability {
    @Override
    public String toString() {
      return CapabilityText.of(this);
    }
  }
}
