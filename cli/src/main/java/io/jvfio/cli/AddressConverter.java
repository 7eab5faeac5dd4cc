package io.jvfio.cli;

import io.jvfio.PciAddress;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads a PCI address. */
final class AddressConverter implements ITypeConverter<PciAddress> {
  @Override
  public PciAddress convert(String text) {
    try {
      return PciAddress.parse(text);
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException(e.getMessage());
    }
  }
}
