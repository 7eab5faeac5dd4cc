// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.PciCapability;
import io.jvfio.cli.output.Text;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What a capability says, in a line. */
final class CapabilityText {
  private static final int BEYOND_ITS_CLOCK = 255;

  private CapabilityText() {}

  static String of(PciCapability capability) {
    return switch (capability) {
      case PciCapability.PowerManagement it ->
          words(
              it.powerState() == 0
                  ? "awake (D0)"
                  : it.powerState() == 3 ? "asleep (D3hot)" : "drowsy (D" + it.powerState() + ")",
              it.d1() ? "has D1" : "",
              it.d2() ? "has D2" : "",
              it.keepsState() ? "keeps its state in D3hot" : "waking from D3hot resets it");
      case PciCapability.VitalProductData _ -> "";
      case PciCapability.Msi it ->
          words(
              vectors(it.vectors()),
              it.enabled() ? it.enabledVectors() + " in use" : "off",
              it.wide() ? "" : "below 4 GiB only",
              it.maskable() ? "maskable one by one" : "");
      case PciCapability.MsiX it ->
          words(
                  vectors(it.vectors()),
                  it.enabled() ? "on" : "off",
                  it.enabled() && it.masked() ? "all masked" : "")
              + "; table at BAR%d+0x%x, pending bits at BAR%d+0x%x"
                  .formatted(it.tableBar(), it.tableOffset(), it.pendingBar(), it.pendingOffset());
      case PciCapability.VendorSpecific it -> it.length() + " bytes";
      case PciCapability.SubsystemIds it -> ids(it.vendor(), it.device());
      case PciCapability.PciExpress it -> express(it);
      case PciCapability.Af it ->
          words(
              it.functionReset() ? "function reset" : "no function reset",
              it.transactionsPending() ? "tells of requests under way" : "");
      case PciCapability.AdvancedErrorReporting it ->
          it.uncorrectable().isEmpty() && it.correctable().isEmpty()
              ? "no errors recorded"
              : words(
                  found("uncorrectable", it.uncorrectable()),
                  found("correctable", it.correctable()));
      case PciCapability.DeviceSerialNumber it -> serial(it.serial());
      case PciCapability.ExtendedVendorSpecific it ->
          "number 0x%04x, revision %d, %d bytes"
              .formatted(it.vendorCapability(), it.revision(), it.length());
      case PciCapability.AccessControlServices it ->
          (it.supported().isEmpty() ? "none" : String.join(", ", it.supported()))
              + "; on: "
              + (it.enabled().isEmpty() ? "none" : String.join(", ", it.enabled()));
      case PciCapability.AlternativeRoutingId it ->
          it.nextFunction() == 0 ? "the last function" : "next is function " + it.nextFunction();
      case PciCapability.AddressTranslation it ->
          words(onOff(it.enabled()), "%d invalidations at once".formatted(it.queueDepth()));
      case PciCapability.SrIov it ->
          words(
              it.enabled() ? it.functions() + " virtual functions on" : "no virtual functions on",
              "up to " + it.totalFunctions(),
              "device id %04x".formatted(it.device()));
      case PciCapability.ResizableBar it ->
          it.bars().stream().map(CapabilityText::choice).collect(Collectors.joining("; "));
      case PciCapability.LatencyTolerance it ->
          it.snoopNanos() == 0 && it.noSnoopNanos() == 0
              ? "no limit set"
              : "at most %,d ns, %,d ns without snooping"
                  .formatted(it.snoopNanos(), it.noSnoopNanos());
      case PciCapability.SecondaryPciExpress it ->
          it.laneErrors() == 0
              ? "no lane had errors"
              : "lanes with errors: 0x%x".formatted(it.laneErrors());
      case PciCapability.Pasid it ->
          words(
              onOff(it.enabled()),
              it.width() + " bits",
              it.executable() ? "execute" : "",
              it.privileged() ? "privileged" : "");
      case PciCapability.L1PmSubstates it ->
          (it.supported().isEmpty() ? "none" : String.join(", ", it.supported()))
              + "; on: "
              + (it.enabled().isEmpty() ? "none" : String.join(", ", it.enabled()));
      case PciCapability.Ptm it ->
          words(
              onOff(it.enabled()),
              it.root() ? "root" : "",
              it.responder() ? "responder" : "",
              it.requester() ? "requester" : "",
              it.granularityNanos() == 0
                  ? ""
                  : it.granularityNanos() == BEYOND_ITS_CLOCK
                      ? "clock of more than 254 ns"
                      : "clock of %d ns".formatted(it.granularityNanos()));
      case PciCapability.Dvsec it ->
          "%s, number 0x%04x, revision %d, %d bytes"
              .formatted(
                  PciVendor.label(it.vendor()), it.vendorCapability(), it.revision(), it.length());
      case PciCapability.DataLinkFeature it ->
          words(
              it.scaledFlowControl() ? "scaled flow control" : "no scaled flow control",
              it.remoteKnown() ? "agreed with the other end" : "");
      case PciCapability.Unknown _ -> "";
    };
  }

  private static String express(PciCapability.PciExpress it) {
    return words(
        port(it.portType()),
        link(it),
        "payload %d of %d bytes".formatted(it.payload(), it.maxPayload()),
        "reads of %d bytes".formatted(it.readRequest()),
        it.functionReset() ? "function reset" : "no function reset",
        it.transactionsPending() ? "requests under way" : "");
  }

  private static String link(PciCapability.PciExpress it) {
    if (it.maxLink().lanes() == 0) {
      return "no link";
    }
    return it.link().equals(it.maxLink())
        ? "link " + link(it.link())
        : "link %s, could be %s".formatted(link(it.link()), link(it.maxLink()));
  }

  private static String link(PciCapability.Link link) {
    return "x%d at %s GT/s"
        .formatted(
            link.lanes(),
            link.megatransfers() == 0
                ? "?"
                : link.megatransfers() % 1000 == 0
                    ? Integer.toString(link.megatransfers() / 1000)
                    : "%.1f".formatted(link.megatransfers() / 1000.0));
  }

  private static String port(PciCapability.PortType type) {
    return switch (type) {
      case UNKNOWN -> "unknown kind of port";
      case PCI_BRIDGE -> "bridge to PCI";
      case REVERSE_BRIDGE -> "bridge from PCI";
      default -> type.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    };
  }

  private static String choice(PciCapability.Choice choice) {
    return "BAR%d is %s of %s"
        .formatted(
            choice.bar(),
            Text.bytes(choice.byteSize()),
            choice.byteSizes().stream().map(Text::bytes).collect(Collectors.joining(", ")));
  }

  /** A serial number as it is printed on devices. */
  static String serial(long serial) {
    return Stream.iterate(56, shift -> shift >= 0, shift -> shift - 8)
        .map(shift -> "%02x".formatted(serial >>> shift & 0xff))
        .collect(Collectors.joining("-"));
  }

  private static String ids(int vendor, int device) {
    return "%s %04x:%04x".formatted(PciVendor.label(vendor), vendor, device);
  }

  private static String vectors(int count) {
    return count == 1 ? "1 vector" : count + " vectors";
  }

  private static String found(String kind, List<String> errors) {
    return errors.isEmpty() ? "" : kind + " errors recorded: " + String.join(", ", errors);
  }

  private static String onOff(boolean on) {
    return on ? "on" : "off";
  }

  private static String words(String... words) {
    return Stream.of(words).filter(word -> !word.isEmpty()).collect(Collectors.joining(", "));
  }
}
